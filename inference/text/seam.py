"""Where a fill meets what already stands behind the hole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOSERS = {")": "(", "]": "[", "}": "{"}


QUOTES = "\"'`"


def join_to_rest_of_line(fill: str, rest: str) -> str | None:
    """Cut off what a one-line fill repeats of the rest of its line.

    Args:
        fill: one line of generated text, written as if it went on to the line's end.
        rest: what stands between the hole and the end of its line.

    Returns:
        The fill without what it repeats, or nothing when it does not lead up to the rest at all and
        would garble the line.
    """
    wanted = rest.strip()
    if not wanted:
        return fill.rstrip(" \t")
    if wanted[0] in CLOSERS:
        at = before_unmatched(fill + "\n", wanted[0])
    elif wanted[0] in QUOTES:
        at = _unescaped(fill, wanted[0], 0)
    else:
        at = start_of_ending(fill, rest)
    return None if at is None else fill[:at]


def start_of_ending(line: str, rest: str) -> int | None:
    """Where in ``line`` the ``rest`` begins that it ends with, if it does.

    Blanks at the rest's start count together with those in front of it in the line.
    """
    wanted = rest.rstrip()
    visible = wanted.lstrip()
    line = line.rstrip()
    if not line.endswith(visible):
        return None
    kept = line[: len(line) - len(visible)]
    return len(kept.rstrip() if wanted != visible else kept)


def end_lines(fill: str, *, with_break: bool) -> str:
    """A fill of whole lines, without blank space at its end, and with one line break if wanted."""
    if not fill.strip():
        return ""
    return fill.rstrip() + ("\n" if with_break else "")


def before_unmatched(fill: str, closer: str) -> int | None:
    """The offset of the first ``closer`` that closes a bracket opened before ``fill``, if any.

    Brackets in strings do not count. A quote that is not closed on its line opens no string, but as
    long as its line is not finished it may be; then nothing is found yet.
    """
    open_brackets: list[str] = []
    for at in _bracket_offsets(fill):
        if at is None:
            return None
        character = fill[at]
        if character in CLOSERS.values():
            open_brackets.append(character)
        elif open_brackets and open_brackets[-1] == CLOSERS[character]:
            open_brackets.pop()
        else:
            return at if character == closer and not open_brackets else None
    return None


def leaves_bracket_open(lines: str) -> bool:
    """Whether whole lines open a bracket that they do not close; see `before_unmatched`."""
    depth = 0
    for at in _bracket_offsets(lines):
        if at is None:
            return False
        depth = max(depth + (1 if lines[at] in CLOSERS.values() else -1), 0)
    return depth > 0


def _bracket_offsets(text: str) -> Iterator[int | None]:
    """The offsets of brackets outside of strings; None where a string may not have ended yet."""
    at = 0
    while at < len(text):
        character = text[at]
        if character in QUOTES:
            line_end = text.find("\n", at)
            closing = _unescaped(text[: line_end if line_end >= 0 else None], character, at + 1)
            if closing is not None:
                at = closing
            elif line_end < 0:
                yield None
                return
        elif character in CLOSERS or character in CLOSERS.values():
            yield at
        at += 1


def _unescaped(text: str, quote: str, start: int) -> int | None:
    """The offset of the first ``quote`` from ``start`` on that no backslash stands before."""
    escaped = False
    for at in range(start, len(text)):
        if text[at] == quote and not escaped:
            return at
        escaped = text[at] == "\\" and not escaped
    return None
