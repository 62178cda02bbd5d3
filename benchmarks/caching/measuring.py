"""How far a cached step is from an exact one on the same canvas, and where a whole fill ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import mean
from time import perf_counter
from typing import TYPE_CHECKING

from midfill.inference.in_place.canvas import HoleCanvas, current_block
from midfill.inference.in_place.unmasking import unmask
from midfill.inference.models.options import Caching

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from midfill.inference.in_place.unmasking import Rules
    from midfill.inference.models.absorbing.bidirectional import BidirectionalModel


@dataclass(frozen=True, slots=True)
class Hole:
    """Token ids around and in a hole of known content."""

    prefix: tuple[int, ...]
    middle: tuple[int, ...]
    suffix: tuple[int, ...]

    @property
    def canvas(self) -> HoleCanvas:
        return HoleCanvas.masked(self.prefix, len(self.middle), self.suffix)


@dataclass(frozen=True, slots=True)
class Drift:
    """One step with a cache beside the same step without.

    Attributes:
        divergence: KL of the exact distribution from the cached one, nats, mean over the slots.
        agreement: share of the slots whose most probable token is the same.
    """

    divergence: float
    agreement: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole fill.

    Attributes:
        tokens: what stands in the hole.
        steps: forward passes.
        ms: milliseconds a step.
    """

    tokens: tuple[int, ...]
    steps: int
    ms: float


def drifts(model: BidirectionalModel, hole: Hole, rules: Rules, caching: Caching) -> list[Drift]:
    """Every step of an exact fill, taken again with a cache over the very same canvases.

    Only steps that take something from the cache count: not the first of a block.
    """
    found, canvas, block = [], hole.canvas, range(0)
    for step in unmask(model, canvas, _with(rules, Caching.NONE)):
        now = current_block(canvas, rules.block)
        exact = model.predict(canvas, now, Caching.NONE, refresh=True)
        cached = model.predict(canvas, now, caching, refresh=now != block)
        if now == block:
            found.append(_drift(exact, cached))
        canvas, block = step.canvas, now
    return found


def outcome(model: BidirectionalModel, hole: Hole, rules: Rules, caching: Caching) -> Outcome:
    """Fill a hole of known length and time it."""
    started, steps = perf_counter(), 0
    canvas = hole.canvas
    for step in unmask(model, canvas, _with(rules, caching)):
        canvas, steps = step.canvas, steps + 1
    ms = 1e3 * (perf_counter() - started) / max(steps, 1)
    return Outcome(tuple(slot.token for slot in canvas.slots if slot is not None), steps, ms)


def summary(
    holes: Sequence[Hole],
    outcomes: Sequence[Outcome],
    exact: Sequence[Outcome],
    drift: Sequence[Drift],
) -> dict[str, float]:
    """The figures of one way of caching.

    Args:
        holes: that were filled.
        outcomes: with the cache, in the same order.
        exact: without.
        drift: of all steps of all holes.
    """
    pairs = [
        (token, gold)
        for hole, result in zip(holes, outcomes, strict=True)
        for token, gold in zip(result.tokens, hole.middle, strict=True)
    ]
    return {
        "holes": len(holes),
        "right_tokens": mean(token == gold for token, gold in pairs),
        "exact_holes": mean(
            result.tokens == hole.middle for hole, result in zip(holes, outcomes, strict=True)
        ),
        "same_as_without": mean(
            mine.tokens == theirs.tokens for mine, theirs in zip(outcomes, exact, strict=True)
        ),
        "steps": mean(result.steps for result in outcomes),
        "ms_a_step": mean(result.ms for result in outcomes),
        "cached_steps": len(drift),
        "divergence_nats": mean(step.divergence for step in drift) if drift else 0.0,
        "same_best_token": mean(step.agreement for step in drift) if drift else 1.0,
    }


def _with(rules: Rules, caching: Caching) -> Rules:
    return replace(rules, caching=caching)


def _drift(exact: torch.Tensor, cached: torch.Tensor) -> Drift:
    wanted, got = exact.log_softmax(-1), cached.log_softmax(-1)
    divergence = (wanted.exp() * (wanted - got)).sum(-1)
    agreement = (exact.argmax(-1) == cached.argmax(-1)).float()
    return Drift(max(0.0, float(divergence.mean())), float(agreement.mean()))
