"""The language server's own share against what grows, as samples of growth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError
from midfill.inference.measuring.language_server.connection import ServerGone
from midfill.inference.measuring.language_server.own_share import ROUNDS, measure_own_share
from midfill.inference.measuring.language_server.places import NoPlace
from midfill.inference.measuring.replay.growth import (
    DOCUMENTS,
    FILE_LINES,
    GrowthSample,
    Series,
    long_file,
)
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from midfill.inference.measuring.replay.sources import SourceFile
    from midfill.inference.progress import ProgressListener


def measure_server_growth(
    files: Sequence[SourceFile],
    listener: ProgressListener,
    *,
    file_lines: Sequence[int] = FILE_LINES,
    documents: Sequence[int] = DOCUMENTS,
    rounds: int = ROUNDS,
) -> Iterator[GrowthSample]:
    """Edit in the real language server, before an engine that answers at once.

    The engine that was measured sees a window alone; the server sees whole files.

    Args:
        files: what documents are made of.
        listener: told how far it is.
        file_lines, documents: the sizes, rising.
        rounds: at each size.

    Raises:
        MidfillError: the server does not answer, or the files have no place to edit at.
    """
    try:
        found = measure_own_share(
            lambda lines: long_file(files, lines).text,
            file_lines,
            documents,
            lambda what: listener(Progress("measuring growth", None, what)),
            rounds=rounds,
        )
    except (ServerGone, NoPlace) as error:
        raise MidfillError(f"the language server could not be measured: {error}") from error
    for series, sizes in (
        (Series.FILE_LINES_SERVER, found.file_lines),
        (Series.DOCUMENTS_SERVER, found.documents),
    ):
        for size, times in sizes.items():
            for number, ms in enumerate(times):
                yield GrowthSample(series, size, number, 0, ms)
