"""A fill that goes on behind the end of what it stands in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import LONG_FILL, Drop
from midfill.inference.postprocess.bracketing import OPENED_BY, Bracket, brackets_of, unmatched
from midfill.inference.postprocess.dedent import before_dedent
from midfill.inference.syntax.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.postprocess.around import Around

_BRACKET = re.compile(r"[()\[\]{}]")


def within_scope(fill: str, around: Around) -> str | Drop:
    """The fill up to where it closes what was opened before it and is closed behind it already.

    That is a bracket, or in Python a line that is indented less.
    """
    if around.grammar is None or len(fill) > LONG_FILL:
        return fill
    kept = before_dedent(_before_needless_closer(fill, around), around)
    return kept if kept.strip() or not fill.strip() else Drop.ECHO


def _before_needless_closer(fill: str, around: Around) -> str:
    if around.grammar is None or not _may_close(fill):
        return fill
    parsed = parse(around.before + fill + around.after, around.grammar)
    start = len(around.before.encode("utf-8", "surrogatepass"))
    end = start + len(fill.encode("utf-8", "surrogatepass"))
    brackets = brackets_of(parsed)
    inside = unmatched(bracket for bracket in brackets if start <= bracket.at < end)
    if not inside.closers or inside.openers:
        return fill
    opened = unmatched(bracket for bracket in brackets if bracket.at < start).openers
    closed = unmatched(bracket for bracket in brackets if bracket.at >= end).closers
    fitting = _closers_that_fit(opened, closed, len(inside.closers))
    if fitting == len(inside.closers):
        return fill
    at = inside.closers[fitting].at
    kept = parsed.source[start:at].decode("utf-8", "surrogatepass")
    return kept.rstrip() if _own_line(kept) or around.after[:1].isspace() else kept


def _may_close(fill: str) -> bool:
    """Whether there may be more closers than openers at some point; strings are not looked at."""
    depth = 0
    for bracket in _BRACKET.finditer(fill):
        depth += -1 if bracket.group() in OPENED_BY else 1
        if depth < 0:
            return True
    return False


def _closers_that_fit(opened: Sequence[Bracket], closed: Sequence[Bracket], wanted: int) -> int:
    """How many of the ``wanted`` brackets a fill may close that were opened before it.

    With as many closed, each bracket behind the hole still has one before it that it may close.
    Those on one line with others are compared by their kind. The first one that leads its line
    decides: it has the indentation of the line on which it was opened, and what is behind it
    is not looked at.

    Returns:
        ``wanted`` if that may be right, or if no other number is plainly so.
    """
    deciding = next((number for number, closer in enumerate(closed) if closer.leads), None)
    nearest = closed[: len(closed) if deciding is None else deciding + 1]
    if not nearest or not _plainly_wrong(_partners(opened, nearest, wanted), nearest):
        return wanted
    fewer = range(wanted - 1, -1, -1)
    fitting = (n for n in fewer if _plainly_right(_partners(opened, nearest, n), nearest))
    return next(fitting, wanted)


def _partners(
    opened: Sequence[Bracket], closed: Sequence[Bracket], skipped: int
) -> Sequence[Bracket]:
    """The brackets that ``closed`` would close if the ``skipped`` last ones were closed already."""
    return opened[::-1][skipped : skipped + len(closed)]


def _plainly_wrong(opened: Sequence[Bracket], closed: Sequence[Bracket]) -> bool:
    return len(opened) < len(closed) or any(
        opener.character != OPENED_BY[closer.character]
        or (closer.leads and closer.indent > opener.indent)
        for opener, closer in zip(opened, closed, strict=True)
    )


def _plainly_right(opened: Sequence[Bracket], closed: Sequence[Bracket]) -> bool:
    return len(opened) == len(closed) and all(
        opener.character == OPENED_BY[closer.character]
        and (not closer.leads or closer.indent == opener.indent)
        for opener, closer in zip(opened, closed, strict=True)
    )


def _own_line(kept: str) -> bool:
    """Whether what is cut off began a line."""
    return "\n" in kept and not kept[kept.rfind("\n") :].strip()
