"""What is measured: something that fills a hole, and how long that took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from midfill.inference.wire import InfillRequest


@dataclass(frozen=True, slots=True)
class TimedFill:
    """One fill.

    Attributes:
        seconds: from the request to the text.
        tokens: written.
        steps: forward passes.
        step_seconds: of single steps, as far as they can be told apart.
    """

    seconds: float
    tokens: int
    steps: int
    step_seconds: tuple[float, ...]


class Contender(Protocol):
    """One of those that are compared."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def forget(self) -> None:
        """Let go of everything that is kept for the next fill."""
        ...

    def fill(self, request: InfillRequest, tokens: int) -> TimedFill:
        """Fill a hole, with what is kept of the fill before.

        Args:
            request: what to fill.
            tokens: how many to write; whoever ends where the middle ends takes no notice.

        Raises:
            OutOfMemory: it does not fit.
        """
        ...
