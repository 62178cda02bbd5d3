"""What every arm of an evaluation does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from midfill.inference.evaluation.problems import Filled, Problem
    from midfill.inference.wire import Extent

LIMITS = {"line": 64, "lines": 256}
"""Tokens at most, for one line and for several; as the command line has it."""


class Arm(Protocol):
    """One way to fill holes."""

    name: str

    def fill(self, problem: Problem) -> Filled: ...


def token_limit(extent: Extent) -> int:
    return LIMITS[extent.value]
