"""When it is time to look for better context, although that has the whole prompt read anew."""

from __future__ import annotations

from dataclasses import dataclass

FAR = 60
"""Lines; further away, other things are needed."""

PAUSE = 5.0
"""Seconds without a key, after which nobody is in the middle of a thought."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known when context is asked for.

    Attributes:
        line: the cursor's.
        imports: what the document imports, as far as that is known.
        pauses: how often nobody typed for a while, up to now.
    """

    line: int
    imports: frozenset[str]
    pauses: int


def is_time(chosen: Moment | None, now: Moment) -> bool:
    """Whether to choose anew.

    Args:
        chosen: when the present context was chosen; None if there is none yet.
        now: the moment at hand.
    """
    if chosen is None or abs(now.line - chosen.line) > FAR:
        return True
    return bool(now.imports - chosen.imports) or now.pauses > chosen.pauses
