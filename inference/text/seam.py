"""Where a fill meets what already stands behind the hole."""

from __future__ import annotations

CLOSERS = {")": "(", "]": "[", "}": "{"}


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
        at = before_unmatched(fill, wanted[0])
        return None if at is None else fill[:at]
    if wanted[0] in "\"'`":
        return fill[: fill.find(wanted[0])] if wanted[0] in fill else None
    at = fill.rfind(wanted)
    if at >= 0 and not fill[at + len(wanted) :].strip():
        return fill[:at]
    return None


def join_to_lines_below(fill: str, after: str) -> str:
    """End a fill of several lines so that ``after`` follows it well.

    Blank space at the fill's end goes where a line break stands behind the hole anyway; where the
    hole ends at a line's start, exactly one line break stays.
    """
    if not fill.strip():
        return ""
    if after.startswith("\n") or not after:
        return fill.rstrip()
    return fill.rstrip() + "\n" if fill.endswith("\n") else fill


def before_unmatched(fill: str, closer: str) -> int | None:
    """The offset of the first ``closer`` that closes a bracket opened before ``fill``, if any."""
    open_brackets: list[str] = []
    for at, character in enumerate(fill):
        if character in CLOSERS.values():
            open_brackets.append(character)
        elif character in CLOSERS:
            if open_brackets and open_brackets[-1] == CLOSERS[character]:
                open_brackets.pop()
            elif not open_brackets and character == closer:
                return at
            else:
                return None
    return None
