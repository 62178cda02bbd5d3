"""How long an answer is waited for, and who may call it off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class OutOfTime(Exception):
    """The deadline has passed; whoever waits knows what that means."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Patience:
    """Attributes:
    deadline: on the `time.monotonic` clock.
    cancelled: asked all the while; what it raises ends the waiting as well.
    """

    deadline: float
    cancelled: Callable[[], bool] = _never

    @classmethod
    def of(cls, seconds: float, cancelled: Callable[[], bool] = _never) -> Patience:
        return cls(monotonic() + seconds, cancelled)

    def within(self, seconds: float) -> Patience:
        """The same, but of at most so many seconds from now on."""
        return replace(self, deadline=min(self.deadline, monotonic() + seconds))

    @property
    def left(self) -> float:
        """Seconds; 0 when there is no time left."""
        return max(0.0, self.deadline - monotonic())
