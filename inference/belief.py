"""What is believed to follow a context before the model has said anything."""

from __future__ import annotations

from dataclasses import dataclass

AT_ONCE = 16
"""Tokens that are verified in one step, at most."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Tokens that may well follow, such as the rest of a suggestion that somebody types through.

    They are verified like guesses, so they change how many steps it takes and nothing else.

    Attributes:
        tokens: verified `AT_ONCE` at a step, for as long as all of them hold.
        ends: whether the token that is believed behind them ends the middle. It needs no slot: the
            prediction behind the last of ``tokens`` says whether it comes.
        trusted: whether guesses beside them are left out, for they are hardly ever wrong.
    """

    tokens: tuple[int, ...] = ()
    ends: bool = False
    trusted: bool = False
