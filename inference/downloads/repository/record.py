"""What a snapshot's folder remembers of it: the sidecar ``snapshot.json``.

A folder whose record has no date of completion is half a model; one without a record that can be
read is none.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from midfill.inference.downloads.repository.answer import COMMIT
from midfill.inference.downloads.repository.licence import Licence
from midfill.inference.downloads.repository.wanted import NAME
from midfill.inference.downloads.verified_file import Fingerprint
from midfill.inference.text.printable import one_line

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
        asked: the revisions that it was pulled as, each with when that was last done; of several
            snapshots that were pulled as the same branch, the latest is the branch.
        licence: what its card says.
        accepted: when the user agreed to the licence; None if nobody was asked.
        files: those that are here and have been checked, by name.
        completed: when all of it was here for the first time; None until it is.
    """

    repository: str
    commit: str
    asked: Mapping[str, str]
    licence: Licence
    accepted: str | None
    files: Mapping[str, Fingerprint]
    completed: str | None


def now() -> str:
    """The moment, in a form that sorts."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def read_record(folder: Path) -> SnapshotRecord | None:
    """The record of ``folder``, or None if there is none that makes sense."""
    try:
        found = json.loads((folder / RECORD).read_text("utf-8"))
        record = SnapshotRecord(
            repository=_text(found["repository"]),
            commit=_text(found["commit"]),
            asked={_text(name): _text(when) for name, when in found["asked"].items()},
            licence=Licence(**{name: _text(text) for name, text in found["licence"].items()}),
            accepted=_moment(found["accepted"]),
            files={_file_name(name): _fingerprint(entry) for name, entry in found["files"].items()},
            completed=_moment(found["completed"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    # one that was copied from elsewhere says nothing of this folder
    return record if COMMIT.fullmatch(record.commit) and record.commit == folder.name else None


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


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return one_line(value)


def _moment(value: object) -> str | None:
    return None if value is None else _text(value)


def _file_name(name: str) -> str:
    if not NAME.fullmatch(name):  # it could lead anywhere
        raise ValueError
    return name


def _fingerprint(entry: dict[str, Any]) -> Fingerprint:
    found = Fingerprint(**entry)
    if type(found.size) is not int or type(found.mtime_ns) is not int:
        raise TypeError
    _text(found.sha256)
    return found
