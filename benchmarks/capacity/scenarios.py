"""The engines that are compared, with where their figures come from."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

from .engine import EngineKind

TYPED_LINES = Path(__file__).resolve().parents[1] / "typed_lines_avx2_fused.json"

H100_STEP_MS = 9.1
"""DiffusionGemma 26B-A4B in FP8 on one H100, a canvas of 256 slots: published, 145.7 ms for 16
steps. Four fills of 64 slots are such a canvas."""

H100_SLOT_MS = 2 * 3.8e9 / (0.4 * 1979e12) * 1e3
"""A further slot: two operations for each of 3.8e9 active weights, at 40 % of the 1,979 TFLOPS that
the card is rated at in FP8 without sparsity; the share is an assumption."""

H100_PREFILL_MS = (426 - 145.7) / 4096
"""A token of context: published, 426 ms to the first canvas behind 4,096 tokens."""

CANVAS = 64
COLD_TOKENS = 2048
NEW_TOKENS = 8
CONTEXTS = 200
"""That fit beside the weights: 48 GB, at 240 MiB for the keys and values of 2,048 tokens."""
FILLS_AT_ONCE = 16
STEPS = tuple(range(8, 17))
"""Of a fill of one to three lines, all equally often: an assumption, between the fewest that are
of use and the 16 of the published figure."""


def h100(fills_at_once: int = FILLS_AT_ONCE) -> EngineKind:
    """One H100 by calculation; nothing of it was measured here."""
    return EngineKind(
        name=f"H100, {fills_at_once} at once" if fills_at_once > 1 else "H100, one at a time",
        fills_at_once=fills_at_once,
        step_ms=(H100_STEP_MS,),
        # Within 256 slots further fills are free; from there on each slot costs its computation.
        shared=max(0.0, fills_at_once - 256 / CANVAS)
        * CANVAS
        * H100_SLOT_MS
        / (max(1, fills_at_once - 1) * H100_STEP_MS),
        steps=STEPS,
        new_ms=NEW_TOKENS * H100_PREFILL_MS,
        cold_ms=COLD_TOKENS * H100_PREFILL_MS,
        contexts=CONTEXTS,
    )


def two_cores(fills_at_once: int = 8, shared: float = 0.7) -> EngineKind:
    """The embedded model on two cores with AVX2, as ``typed_lines_avx2_fused.json`` measured it.

    Args:
        fills_at_once: that share steps.
        shared: what a further fill adds to a step, as a part of its own; an assumption.
    """
    samples = [
        sample
        for sample in json.loads(TYPED_LINES.read_text())["samples"]
        if sample["writer"] == "midfill"
    ]
    warm = [sample for sample in samples if sample["kind"] == "warm"]
    cold = [sample for sample in samples if sample["kind"] == "cold"]
    return EngineKind(
        name="two CPU cores",
        fills_at_once=fills_at_once,
        step_ms=tuple(sample["ms"] / sample["steps"] for sample in warm),
        shared=shared,
        steps=tuple(sample["steps"] for sample in warm),
        new_ms=0.0,  # it is in the measured steps
        cold_ms=mean(sample["ms"] for sample in cold),
        contexts=3,
    )
