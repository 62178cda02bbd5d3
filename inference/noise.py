"""What an unknown slot of a canvas holds before it is denoised."""

from __future__ import annotations

from enum import StrEnum


class Noise(StrEnum):
    ABSORBING = "absorbing"
    """A mask; once unmasked, a slot has left the noise."""
    UNIFORM = "uniform"
    """A random token of the vocabulary; a rejected slot gets a fresh one."""
