"""Pieces of files that are open or were visited lately, those most like the text at the cursor."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from heapq import nlargest
from typing import TYPE_CHECKING

from midfill.lsp.context.chunks import chunks
from midfill.lsp.context.snippet import Snippet, Stability, snippet_of_lines
from midfill.lsp.context.tokens import characters_in
from midfill.lsp.context.words import similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Set

    from midfill.lsp.context.open_texts import OpenTexts
    from midfill.lsp.context.readable_files import Stamp
    from midfill.lsp.context.snippet import Origin
    from midfill.lsp.context.view import View

FILES = 16
"""So many are remembered, those visited last."""

AROUND = 256
"""Lines above the place that was visited last in a file, and below it, that are looked at."""

OFFERED = 4

SMALLEST, LARGEST = 400, 1400
"""Characters of a piece, about."""

LEAST = 0.1
"""What is less like the text at the cursor has nothing to do with it."""


@dataclass(frozen=True, slots=True)
class _Piece:
    lines: range
    snippet: Snippet


@dataclass(slots=True)
class _File:
    """A file's pieces around a line.

    Attributes:
        edited: since the pieces were cut.
        stamp: the file on the disk that the pieces were found in after it had been closed.
        closed: whether it is not open any more.
    """

    line: int
    pieces: tuple[_Piece, ...] = ()
    edited: bool = True
    closed: bool = False
    stamp: Stamp | None = None


class VisitedFiles:
    """Remembers pieces of the documents that the user has been in.

    Args:
        texts: the open documents.
        origin_of: where a document lies.
        tokens: for all that is on offer, about.
    """

    name = "open and visited files"

    def __init__(self, texts: OpenTexts, origin_of: Callable[[str], Origin], tokens: int) -> None:
        self._texts = texts
        self._origin_of = origin_of
        self.tokens = tokens
        self._files: OrderedDict[str, _File] = OrderedDict()  # visited last last

    def visited(self, uri: str, line: int = 0) -> None:
        """Somebody is at a line of an open document, or has left it there."""
        file = self._files.setdefault(uri, _File(line))
        self._files.move_to_end(uri)
        if file.edited or file.closed or abs(file.line - line) > AROUND // 2:
            file.line = line
            self._cut(uri, file)
        while len(self._files) > FILES:
            self._files.popitem(last=False)

    def edited(self, uri: str) -> None:
        """A document has changed; its pieces are cut anew at the next visit."""
        if file := self._files.get(uri):
            file.edited = True

    def closed(self, uri: str) -> None:
        """A document is closed. Until its pieces are found on the disk, they are not on offer."""
        if file := self._files.get(uri):
            file.closed, file.stamp = True, None

    def to_be_found(self) -> tuple[str, ...]:
        """Documents that were closed and have not been looked for on the disk."""
        return tuple(uri for uri, file in self._files.items() if file.closed and file.stamp is None)

    def found(self, uri: str, lines: Set[str], stamp: Stamp | None) -> None:
        """What a closed document has on the disk; pieces that are not there are dropped.

        Args:
            lines: without the white space around them.
            stamp: of the file; None if there is none, or none that may be read.
        """
        file = self._files.get(uri)
        if file is None or not file.closed:
            return
        file.stamp = stamp
        file.pieces = tuple(
            replace(piece, snippet=replace(piece.snippet, stamp=stamp))
            for piece in file.pieces
            if stamp is not None and piece.snippet.made_of <= lines
        )
        if not file.pieces:
            del self._files[uri]

    def forget(self, uri: str) -> None:
        """A document is gone, or must not be seen any more."""
        self._files.pop(uri, None)

    def snippets(self, at: View) -> Sequence[Snippet]:
        ranked = (
            (similarity(piece.snippet.words, at.near), -number, piece.snippet)
            for number, (uri, piece) in enumerate(self._pieces())
            if uri != at.uri or not _overlap(piece.lines, at.read)
        )
        best = nlargest(OFFERED, ranked, key=lambda entry: entry[:2])
        return [replace(snippet, score=score) for score, _, snippet in best if score >= LEAST]

    def _pieces(self) -> list[tuple[str, _Piece]]:
        latest_first = reversed(self._files.items())
        return [
            (uri, piece)
            for uri, file in latest_first
            for piece in file.pieces
            if not file.closed or file.stamp is not None
        ]

    def _cut(self, uri: str, file: _File) -> None:
        lines = self._texts.lines_of(uri)
        if lines is None:
            return
        first, behind = max(file.line - AROUND, 0), min(file.line + AROUND, len(lines))
        origin = self._origin_of(uri)
        file.pieces = tuple(
            _Piece(
                piece,
                snippet_of_lines(origin, lines[piece.start : piece.stop], 0.0, Stability.VISITED),
            )
            for piece in chunks(lines, first, behind, _characters(self.tokens))
        )
        file.edited, file.closed, file.stamp = False, False, None


def _characters(tokens: int) -> int:
    """How long a piece is: half of what there is room for, if that is bearable."""
    room = characters_in(tokens)
    return min(max(room // 2, min(SMALLEST, room)), LARGEST)


def _overlap(a: range, b: range) -> bool:
    return a.start < b.stop and b.start < a.stop
