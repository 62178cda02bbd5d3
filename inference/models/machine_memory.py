"""How much memory a model's weights take, and where on this machine they fit. Never imports torch.

All figures are rough: they decide what is worth a try, not what is certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.models.options import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable

RUNNING = 1_600_000_000
"""Bytes beside the weights: libraries, the context's cache, a step's logits."""

_BITS = {Weights.FLOAT32: 32.0, Weights.BFLOAT16: 16.0, Weights.INT8: 8.02, Weights.INT4: 4.25}
"""Of a quantised weight, with its share of the scales."""


@dataclass(frozen=True, slots=True)
class WeightBytes:
    """A model's weights in each form that they can be held in, in bytes."""

    float32: int
    bfloat16: int
    int8: int
    int4: int

    def of(self, weights: Weights) -> int:
        """For any form but ``auto``."""
        return {
            Weights.FLOAT32: self.float32,
            Weights.BFLOAT16: self.bfloat16,
            Weights.INT8: self.int8,
            Weights.INT4: self.int4,
        }[weights]


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory that a model can be held in.

    Attributes:
        name: of the device.
        size: bytes that a model could have there.
        unquantised: what it holds weights in that are not quantised: the form that the hardware
            multiplies.
    """

    name: str
    size: int
    unquantised: Weights = Weights.BFLOAT16


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a model fits, and in which form."""

    memory: Memory
    weights: Weights


def weight_bytes(parameters: int, unquantised: int = 0) -> WeightBytes:
    """Sum up a model's weights.

    Args:
        parameters: all of them.
        unquantised: those of them that are never held in fewer than 16 bits.
    """
    rest = parameters - unquantised

    def quantised(weights: Weights) -> int:
        return round(rest * _BITS[weights] / 8) + 2 * unquantised

    return WeightBytes(
        4 * parameters, 2 * parameters, quantised(Weights.INT8), quantised(Weights.INT4)
    )


def fits(model: WeightBytes, memories: Iterable[Memory]) -> tuple[Fit, ...]:
    """In each memory that can hold the model, the most exact form of it."""
    found = []
    for memory in memories:
        for weights in (memory.unquantised, Weights.INT8, Weights.INT4):
            if model.of(weights) + RUNNING <= memory.size:
                found.append(Fit(memory, weights))
                break
    return tuple(found)
