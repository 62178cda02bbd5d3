"""How sure a diffusion model is of an unknown middle by its length alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp


@dataclass(frozen=True, slots=True)
class LengthBias:
    """``bias(L) = a·exp(−b·L) + c·exp(−d·L) + e``.

    The defaults are the published constants, the same for LLaDA, Dream-Coder and DiffuCoder.

    Source: CAL, Calibrated Adaptive Length, arXiv 2602.00476.
    """

    a: float = 1.00
    b: float = 1.77
    c: float = 0.56
    d: float = 0.06
    e: float = 0.24

    def __call__(self, length: int) -> float:
        return self.a * exp(-self.b * length) + self.c * exp(-self.d * length) + self.e
