"""Where a published file can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from midfill.inference.downloads.verified_file import PublishedFile


class Source(Protocol):
    """One way to the bytes of a published file."""

    @property
    def name(self) -> str:
        """What people call it, as in "from …"."""
        ...

    def append(
        self, file: PublishedFile, partial: Path, intact: int, report: Callable[[int], None]
    ) -> None:
        """Fetch what is missing of ``file`` and append it to ``partial``.

        Args:
            partial: holds just the first ``intact`` pieces; what has been appended stays there,
                whatever happens. Its folder is the caller's alone.
            intact: number of pieces.
            report: told the number of bytes of the file that are there by now, at least every
                second while any arrive; may raise, to break off.

        Raises:
            DownloadFailed: this source cannot be reached, broke off, or has another file. The
                message is a clause that names the source.
            OSError: ``partial`` cannot be written.
        """
        ...
