"""What a model folder remembers of the files in it: the sidecar ``prepared.json``.

It lets a load tell with a few `stat` calls that nothing has been cut off or altered.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from midfill.inference.downloads.verified_file import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "prepared.json"


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """The files of a model folder as they were last found good.

    Attributes:
        format: version of what is prepared, and how.
        source_sha256: of the published file that the others were made from.
        files: by name.
    """

    format: int
    source_sha256: str
    files: Mapping[str, Fingerprint]


def read_record(folder: Path) -> PreparedRecord | None:
    """The record of ``folder``, or None if there is none that can be read."""
    try:
        found = json.loads((folder / NAME).read_text("utf-8"))
        return PreparedRecord(
            int(found["format"]),
            str(found["source_sha256"]),
            {str(name): Fingerprint(**entry) for name, entry in found["files"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(folder: Path, record: PreparedRecord) -> None:
    """Replace the record of ``folder`` in one step.

    Raises:
        OSError: it cannot be written.
    """
    new = folder / f"{NAME}.{os.getpid()}.new"
    try:
        new.write_text(json.dumps(asdict(record), indent=2) + "\n", "utf-8")
        new.replace(folder / NAME)
    finally:
        new.unlink(missing_ok=True)
