"""What was taken from one package, kept so that an interrupted build goes on from there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from midfill.inference.training.corpus.disk import written_whole
from midfill.inference.training.corpus.filters import VERSION
from midfill.inference.training.corpus.licence_evidence import Licence

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.training.corpus.packages import Package


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file that passed the filters."""

    path: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class PackageRecord:
    """A package's licence and files; no files if the licence does not allow them.

    Attributes:
        dropped: how many files were left out, by reason.
    """

    package: Package
    licence: Licence
    files: tuple[TakenFile, ...]
    dropped: dict[str, int] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the record, all of it or nothing.

        Raises:
            OSError: it cannot be written.
        """
        head = {
            "wanted": self.package.fingerprint(),
            "filters": VERSION,
            "licence": asdict(self.licence),
            "files": len(self.files),
            "dropped": self.dropped,
        }
        with written_whole(record_path(folder, self.package)) as output:
            for one in (head, *map(asdict, self.files)):
                output.write(json.dumps(one, ensure_ascii=False).encode() + b"\n")


def record_path(folder: Path, package: Package) -> Path:
    """Where a package's record is kept."""
    return folder / f"{package.key}.jsonl"


def load_record(folder: Path, package: Package) -> PackageRecord | None:
    """The record of a package; None unless there is an intact one of what is wanted now."""
    try:
        lines = record_path(folder, package).read_bytes().split(b"\n")[:-1]
        head = json.loads(lines[0])
        if (head["wanted"], head["filters"]) != (package.fingerprint(), VERSION):
            return None
        files = tuple(TakenFile(**json.loads(line)) for line in lines[1:])
        licence = Licence(**head["licence"])
        dropped = {str(reason): int(count) for reason, count in head["dropped"].items()}
        whole = len(files) == head["files"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return PackageRecord(package, licence, files, dropped) if whole else None
