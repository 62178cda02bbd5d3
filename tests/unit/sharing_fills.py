"""Fills of one filler that share its model's passes, as the service's thread makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from midfill.inference.fillers.filler import Run
from midfill.inference.shared_steps import SharedSteps, let_others
from midfill.inference.stopwatch import Stopwatch
from midfill.inference.wire import Draft, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.fillers.filler import Filler
    from midfill.inference.wire import InfillRequest

ROUNDS = 5000
"""Of which no fill of a test needs as many."""


@dataclass
class Fill:
    """What became of one.

    Attributes:
        asked: for what.
        joins: the round in which it begins.
        cancelled_after: drafts, after which nobody wants it any more.
        filler: makes it, if not the one that makes the others.
        caller: whose it is.
        drafts, final, error: what came of it.
    """

    asked: InfillRequest
    joins: int = 0
    cancelled_after: int | None = None
    filler: Filler | None = None
    caller: str = ""
    drafts: list[Draft] = field(default_factory=list)
    final: Final | None = None
    error: BaseException | None = None

    def cancelled(self) -> bool:
        return self.cancelled_after is not None and len(self.drafts) >= self.cancelled_after

    def make(self, usual: Filler) -> None:
        run = Run(monotonic() + 600, Stopwatch(monotonic()), self.cancelled, self.caller)
        try:
            for event in (self.filler or usual).fill(self.asked, run):
                if isinstance(event, Draft):
                    self.drafts.append(event)
                else:
                    self.final = event
                let_others()
        except BaseException as error:
            self.error = error

    @property
    def finished(self) -> Final:
        assert self.error is None, self.error
        assert self.final is not None
        return self.final


def alone(filler: Filler, asked: InfillRequest) -> Final:
    """One fill, with nobody beside it and nothing kept from before."""
    filler.forget()
    fill = Fill(asked)
    fill.make(filler)
    return fill.finished


def together(
    filler: Filler, fills: Sequence[Fill], each_round: Callable[[int], None] = lambda number: None
) -> None:
    """Make fills at once, with nothing kept from before.

    Args:
        filler: makes them.
        fills: each joins in its round.
        each_round: called before each.
    """
    filler.forget()
    steps, waiting = SharedSteps(), list(fills)
    for number in range(ROUNDS):
        each_round(number)
        for fill in [fill for fill in waiting if fill.joins <= number]:
            waiting.remove(fill)
            steps.begin(lambda fill=fill: fill.make(filler), fill.cancelled)  # type: ignore[misc]
        steps.advance()
        if not len(steps) and not waiting:
            return
    raise AssertionError("it never ends")


def same(found: Final, wanted: Final) -> bool:
    """Whether two fills say the same, in as many steps; figures may differ by rounding."""
    names = ("text", "alternatives", "stop", "tokens", "steps", "step_tokens")
    if any(getattr(found, name) != getattr(wanted, name) for name in names):
        return False
    pairs = zip(found.log_probabilities, wanted.log_probabilities, strict=True)
    return all(abs(one - other) < 1e-3 for one, other in pairs)
