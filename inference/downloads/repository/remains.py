"""Folders of commits that are no models: with a record that makes no sense, or half deleted.

They take room on the disk all the same, so they are shown, and can be removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.downloads.repository.record import read_record
from midfill.inference.downloads.repository.snapshots import (
    bytes_in,
    hub_folder,
    places_in,
    repository_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

GONE = ".gone-"
"""What stands behind the commit in the name of a folder that is being deleted."""

_COMMIT_FOLDER = re.compile(rf"([0-9a-f]{{40}})({re.escape(GONE)}\w+)?")


@dataclass(frozen=True, slots=True)
class Remains:
    """A folder of a commit that cannot be used as it is."""

    folder: Path

    @property
    def repository(self) -> str:
        # no repository of the hub has two hyphens in a row in its name
        return self.folder.parent.name.replace("--", "/", 1)

    @property
    def commit(self) -> str:
        return self.folder.name.partition(".")[0]

    @property
    def size(self) -> int:
        """Bytes of all that is here."""
        return bytes_in(self.folder)


def remains(repository: str) -> tuple[Remains, ...]:
    """Those of one repository."""
    return _remains_in([repository_folder(repository)])


def all_remains() -> tuple[Remains, ...]:
    """Those of all repositories."""
    return _remains_in(places_in(hub_folder()))


def _remains_in(folders: Iterable[Path]) -> tuple[Remains, ...]:
    return tuple(
        Remains(place)
        for folder in folders
        for place in places_in(folder)
        if _COMMIT_FOLDER.fullmatch(place.name) and read_record(place) is None
    )
