"""How long an answer is waited for, and who may call it off."""

from __future__ import annotations

from dataclasses import dataclass
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
    cancelled: asked all the while.
    """

    deadline: float
    cancelled: Callable[[], bool] = _never

    @classmethod
    def of(cls, seconds: float) -> Patience:
        return cls(monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds; 0 when there is no time left."""
        return max(0.0, self.deadline - monotonic())
