"""What a snapshot's folder remembers of it: the sidecar ``snapshot.json``.

A folder without one, or whose record has no date of completion, is half a model.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from midfill.inference.downloads.repository.licence import Licence
from midfill.inference.downloads.verified_file import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RECORD = "snapshot.json"


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """One commit of a repository, as much of it as is here.

    Attributes:
        repository: hub id.
        commit: what the revisions stood for when they were pulled.
        asked: the revisions that it was pulled as.
        licence: what its card says.
        accepted: when the user agreed to the licence; None if nobody was asked.
        files: those that are here and have been checked, by name.
        completed: when it was last found to be all there; None until it is.
    """

    repository: str
    commit: str
    asked: tuple[str, ...]
    licence: Licence
    accepted: str | None
    files: Mapping[str, Fingerprint]
    completed: str | None


def now() -> str:
    """The moment, in a form that sorts."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def read_record(folder: Path) -> SnapshotRecord | None:
    """The record of ``folder``, or None if there is none that can be read."""
    try:
        found = json.loads((folder / RECORD).read_text("utf-8"))
        accepted, completed = found["accepted"], found["completed"]
        return SnapshotRecord(
            repository=str(found["repository"]),
            commit=str(found["commit"]),
            asked=tuple(str(revision) for revision in found["asked"]),
            licence=Licence(**{str(name): str(text) for name, text in found["licence"].items()}),
            accepted=None if accepted is None else str(accepted),
            files={str(name): Fingerprint(**entry) for name, entry in found["files"].items()},
            completed=None if completed is None else str(completed),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(folder: Path, record: SnapshotRecord) -> None:
    """Replace the record of ``folder`` in one step.

    Raises:
        OSError: it cannot be written.
    """
    new = folder / f"{RECORD}.{os.getpid()}.new"
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record), indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / RECORD)
    finally:
        new.unlink(missing_ok=True)
