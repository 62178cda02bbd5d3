"""Whether the lines of a fill begin statements, go on inside brackets, or inside strings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from midfill.inference.postprocess.bracketing import brackets_of, unmatched
from midfill.inference.syntax.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from midfill.inference.postprocess.around import Around
    from midfill.inference.postprocess.bracketing import Bracket
    from midfill.inference.syntax.parsing import Parsed

_STRINGS = ("string", "heredoc", "_text", "scalar")


class LineStart(Enum):
    """What a line starts in."""

    STATEMENT = auto()
    """Nothing that the text shows, or a block."""
    BRACKET = auto()
    """Round or square brackets, or in Python any; or it continues a line."""
    COMMENT = auto()
    STRING = auto()


@dataclass(frozen=True, slots=True)
class LineStarts:
    """What lines start in.

    Attributes:
        lines: those of the fill; the first one's is the hole itself.
        behind: the first visible line behind the hole's own.
    """

    lines: tuple[LineStart, ...]
    behind: LineStart

    @property
    def hole(self) -> LineStart:
        return self.lines[0]


def line_starts(fill: str, around: Around) -> LineStarts | None:
    """What the lines of a fill start in once it is in the document; None if nobody can tell."""
    if around.grammar is None:
        return None
    parsed = parse(around.before + fill + around.after, around.grammar)
    brackets = brackets_of(parsed)
    hole = len(around.before.encode("utf-8", "surrogatepass"))
    end = hole + len(fill.encode("utf-8", "surrogatepass"))
    offsets = [hole]
    while (at := parsed.source.find(b"\n", offsets[-1], end)) >= 0:
        offsets.append(at + 1)
    return LineStarts(
        tuple(_start_at(parsed, offset, brackets) for offset in offsets),
        _start_at(parsed, _next_visible_line(parsed.source, end), brackets),
    )


def _next_visible_line(source: bytes, at: int) -> int:
    line = source.find(b"\n", at) + 1
    while line > 0 and (end := source.find(b"\n", line)) >= 0 and not source[line:end].strip():
        line = end + 1
    return line or len(source)


def _start_at(parsed: Parsed, at: int, brackets: Iterable[Bracket]) -> LineStart:
    visible = at
    while parsed.source[visible : visible + 1] in (b" ", b"\t"):
        visible += 1
    node = parsed.tree.root_node.descendant_for_byte_range(at, visible)
    while node is not None:
        if node.start_byte < at:
            if "comment" in node.type:
                return LineStart.COMMENT
            if node.type != "concatenated_string" and any(s in node.type for s in _STRINGS):
                return LineStart.STRING
        node = node.parent
    opened = unmatched(bracket for bracket in brackets if bracket.at < at).openers
    encloses = opened and (parsed.grammar == "python" or opened[-1].character != "{")
    continues = parsed.source[:at].endswith(b"\\\n")
    return LineStart.BRACKET if encloses or continues else LineStart.STATEMENT
