"""The denoising loop for uniform noise.

Every step predicts all free slots, samples a token for each, keeps the sampled tokens of the slots
that the sampler accepts, and puts fresh noise into the others. Acceptance is decided anew at every
step, so what was accepted can be taken back. The result is the most probable token of each slot at
the last step, not the sampled one.

A canvas need not start from noise: where something is believed of its slots, the first step keeps
what the model finds most probable there, too, and the belief counts as the step before it.

Source: DiffusionGemma's published sampling. With nothing pinned, random numbers are drawn in the
same order as `transformers`' ``generate`` draws them, so that the same seed gives the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from midfill.inference.samplers.entropy_bound import EntropyBound
from midfill.inference.samplers.sampler import SlotPredictions
from midfill.inference.uniform.schedule import LinearTemperature
from midfill.inference.uniform.stopping import StableAndConfident
from midfill.kernels.unmask import Unmasked, unmask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Generator, Tensor

    from midfill.inference.samplers.sampler import Sampler
    from midfill.inference.uniform.bans import Bans
    from midfill.inference.uniform.canvas import UniformCanvas
    from midfill.inference.uniform.interface import CanvasModel


NOTHING = -1
"""What is believed of a slot that is to start from noise."""


@dataclass(frozen=True, slots=True)
class DenoisingRule:
    """How a canvas is denoised; as DiffusionGemma is published by default.

    Attributes:
        steps: at most, for one canvas.
        temperature: of each step.
        sampler: which of the sampled tokens to accept.
        stopping: when to be done earlier.
        greedy: the most probable token stands in for the sampled one.
    """

    steps: int = 48
    temperature: LinearTemperature = field(default_factory=LinearTemperature)
    sampler: Sampler = field(default_factory=EntropyBound)
    stopping: StableAndConfident = field(default_factory=StableAndConfident)
    greedy: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A canvas after a denoising step.

    Attributes:
        number: from 1.
        canvas: its layout.
        held: (rows, width) long, what the slots hold now, noise included.
        best: (rows, width) long, the most probable token of each free slot.
        log_probability: (rows, width) float32, of ``best`` at temperature 1; 0 in pinned slots.
        entropy: (rows, width) float32 nats, of what was sampled from; 0 in pinned slots.
        done: (rows,) bool on the CPU; such rows change no more.
    """

    number: int
    canvas: UniformCanvas
    held: Tensor
    best: Tensor
    log_probability: Tensor
    entropy: Tensor
    done: Tensor


def denoise(
    model: CanvasModel,
    canvas: UniformCanvas,
    rule: DenoisingRule,
    generators: Sequence[Generator],
    bans: Bans | None = None,
    believed: Tensor | None = None,
) -> Iterator[Step]:
    """Denoise a canvas, one step for each value asked for; whoever wants no more stops asking.

    Args:
        model: sees the canvas behind its context.
        canvas: its layout; every row has a free slot.
        rule: how it is denoised.
        generators: one a row, on the model's device. What a row becomes does not depend on the
            rows beside it.
        bans: what free slots may not become.
        believed: (free slots of all rows,) long, tokens to start from, `NOTHING` where there is
            none. As many random numbers are drawn as without.
    """
    counts = canvas.free_counts
    stopping = rule.stopping.fresh()
    done = torch.zeros(canvas.rows, dtype=torch.bool)
    first = _noise(model, canvas, generators)
    if believed is not None:
        first = torch.where(believed == NOTHING, first, believed)
        unsure = torch.full(believed.shape, torch.inf, device=believed.device)
        stopping(_by_row(believed, counts), _by_row(unsure, counts))
    ids = canvas.filled(first)
    last: _Predicted | None = None
    belief: Tensor | None = None
    for number in range(1, rule.steps + 1):
        raw = model.predict(canvas, ids, belief)
        total = raw.logsumexp(-1)
        allowed = raw if bans is None else bans.apply(raw, counts)
        logits = allowed / rule.temperature.at(rule.steps + 1 - number, rule.steps)
        found = unmask(logits)
        best = found.tokens.clamp(min=0)  # of what is no number, any
        log_probability = allowed.gather(-1, best[:, None])[:, 0] - total
        del raw, allowed  # a vocabulary for each slot is much
        sampled = best if rule.greedy else _sampled(logits, counts, generators)
        accepted = _accepted(rule.sampler, canvas.of_free(ids), sampled, logits, found, counts)
        noise = _noise(model, canvas, generators)
        held = torch.where(accepted, sampled, noise)
        if believed is not None and number == 1:
            held = torch.where(believed == best, best, held)
        now = _Predicted(held, best, log_probability, found.entropies)
        settled = done.to(canvas.free.device) if bool(done.any()) else None
        if last is not None and settled is not None:
            now = now.except_where(canvas.of_free(settled[:, None].expand_as(canvas.free)), last)
        done = done | stopping(_by_row(now.best, counts), _by_row(now.entropy, counts))
        ids = canvas.filled(now.held)
        yield Step(
            number=number,
            canvas=canvas,
            held=ids,
            best=canvas.filled(now.best),
            log_probability=_spread(canvas, now.log_probability),
            entropy=_spread(canvas, now.entropy),
            done=done,
        )
        if number == rule.steps or bool(done.all()):
            return
        believed = model.believe(canvas, logits)
        if belief is not None and settled is not None:
            believed = _where_rows(settled, belief, believed)
        belief, last = believed, now


@dataclass(frozen=True, slots=True)
class _Predicted:
    """What a step makes of the free slots of all rows; see `Step`."""

    held: Tensor
    best: Tensor
    log_probability: Tensor
    entropy: Tensor

    def except_where(self, settled: Tensor, last: _Predicted) -> _Predicted:
        """The same, but as in the step before where slots are ``settled``, (free slots,) bool."""
        return _Predicted(
            torch.where(settled, last.held, self.held),
            torch.where(settled, last.best, self.best),
            torch.where(settled, last.log_probability, self.log_probability),
            torch.where(settled, last.entropy, self.entropy),
        )


def _where_rows(rows: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """(rows, …), from ``one`` where ``rows``, (rows,) bool, says so."""
    return torch.where(rows.view(-1, *[1] * (one.dim() - 1)), one, other)


def _noise(model: CanvasModel, canvas: UniformCanvas, generators: Sequence[Generator]) -> Tensor:
    """(free slots,) long, uniform over the vocabulary; drawn for pinned slots, too."""
    drawn = []
    for count, generator in zip(canvas.free_counts, generators, strict=True):
        slots = (count + canvas.known,)
        noise = torch.randint(model.vocabulary, slots, generator=generator, device=model.device)
        drawn.append(noise[:count])
    return torch.cat(drawn)


def _sampled(logits: Tensor, counts: Sequence[int], generators: Sequence[Generator]) -> Tensor:
    """(free slots,) long, a token of each slot's distribution."""
    probabilities = _by_row(logits.softmax(-1), counts)
    return torch.cat(
        [
            torch.multinomial(row, 1, generator=generator)[:, 0]
            for row, generator in zip(probabilities, generators, strict=True)
        ]
    )


def _accepted(
    sampler: Sampler,
    held: Tensor,
    sampled: Tensor,
    logits: Tensor,
    found: Unmasked,
    counts: Sequence[int],
) -> Tensor:
    """(free slots,) bool; each row has the sampler's whole budget."""
    slots = (held, sampled, logits, found.tokens, found.probabilities, found.entropies)
    rows = zip(*(_by_row(values, counts) for values in slots), strict=True)
    return torch.cat(
        [
            sampler(
                SlotPredictions(
                    before,
                    chosen,
                    row,
                    torch.ones_like(chosen, dtype=torch.bool),
                    Unmasked(tokens, probabilities, entropies),
                )
            )
            for before, chosen, row, tokens, probabilities, entropies in rows
        ]
    )


def _by_row(values: Tensor, counts: Sequence[int]) -> tuple[Tensor, ...]:
    """(free slots of all rows, …) as each row's."""
    return torch.split(values, list(counts))


def _spread(canvas: UniformCanvas, values: Tensor) -> Tensor:
    """(rows, width), 0 where slots are not free."""
    return values.new_zeros(canvas.free.shape).masked_scatter(canvas.free, values)
