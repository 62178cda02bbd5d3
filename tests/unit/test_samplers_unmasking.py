"""Samplers for parallel unmasking: which slots of a step are accepted."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
)

from midfill.inference.errors import UsageError
from midfill.inference.models.options import Options, SlotScore
from midfill.inference.samplers.best import Best
from midfill.inference.samplers.build import RULES, sampler_of
from midfill.inference.samplers.confidence_threshold import ConfidenceThreshold
from midfill.inference.samplers.entropy import LowEntropy
from midfill.inference.samplers.entropy_bound import EntropyBound
from midfill.inference.samplers.margin import TopMargin
from midfill.inference.samplers.measures import confidences, entropies, margins, on_offer
from midfill.inference.samplers.sampler import SlotPredictions
from midfill.inference.samplers.semi_autoregressive import Blockwise
from midfill.kernels.unmask import Unmasked, unmask

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from midfill.inference.samplers.sampler import Sampler

FORBIDDEN = -torch.inf

SHARES = st.floats(0.01, 1.0)
NATS = st.floats(0.001, 20.0)
SAMPLERS: st.SearchStrategy[Sampler] = st.one_of(
    st.builds(ConfidenceThreshold, SHARES),
    st.builds(TopMargin, SHARES),
    st.builds(LowEntropy, NATS),
    st.builds(EntropyBound, NATS),
    st.builds(Best, st.integers(1, 20)),
)


@st.composite
def steps(draw: st.DrawFn) -> SlotPredictions:
    """Any denoising step: flat and peaky rows, forbidden tokens, rows of nothing else, ties."""
    slots, vocab = draw(st.integers(0, 12)), draw(st.integers(1, 9))
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.float64]))
    scale = draw(st.sampled_from([0.0, 1.0, 5.0, 1000.0]))
    logits = scale * torch.randn(slots, vocab, generator=random)
    if draw(st.booleans()):
        logits[torch.rand(slots, vocab, generator=random) < 0.5] = FORBIDDEN
    chosen = torch.randint(vocab, (slots,), generator=random)
    if draw(st.booleans()):
        chosen = logits.argmax(-1)
    return SlotPredictions(
        held=torch.randint(vocab, (slots,), generator=random),
        chosen=chosen,
        logits=logits.to(dtype),
        free=torch.rand(slots, generator=random) < draw(st.sampled_from([0.0, 0.5, 1.0])),
    )


def step_of(*probabilities: list[float], free: list[bool] | None = None) -> SlotPredictions:
    """A step with these distributions, in which the most probable tokens are chosen."""
    return of(torch.tensor(probabilities).log(), free)


def of(logits: Tensor, free: list[bool] | None = None) -> SlotPredictions:
    """A step with these logits, in which the most probable tokens are chosen."""
    return SlotPredictions(
        held=torch.zeros(len(logits), dtype=torch.long),
        chosen=logits.argmax(-1),
        logits=logits,
        free=torch.tensor(free or [True] * len(logits)),
    )


@given(step=steps(), inner=SAMPLERS, block=st.none() | st.integers(1, 13))
def test_some_free_slots_are_accepted_if_any_can_be(
    step: SlotPredictions, inner: Sampler, block: int | None
) -> None:
    sampler = inner if block is None else Blockwise(inner, block)
    accepted = sampler(step)
    assert accepted.dtype == torch.bool
    assert accepted.shape == step.free.shape
    possible = [
        bool(free) and bool(logits[token] > FORBIDDEN)
        for free, logits, token in zip(step.free, step.logits, step.chosen, strict=True)
    ]
    assert not (accepted & ~torch.tensor(possible, dtype=torch.bool)).any()
    assert accepted.any() == any(possible)


@given(step=steps(), inner=SAMPLERS)
def test_the_same_step_is_always_decided_alike_and_left_as_it_was(
    step: SlotPredictions, inner: Sampler
) -> None:
    before = step.logits.clone(), step.free.clone()
    assert torch.equal(inner(step), inner(step))
    assert torch.equal(step.logits, before[0])
    assert torch.equal(step.free, before[1])


@pytest.mark.parametrize("rule", [ConfidenceThreshold, TopMargin])
@given(step=steps(), lower=SHARES, higher=SHARES)
def test_a_lower_probability_accepts_no_slot_less(
    rule: Callable[[float], Sampler], step: SlotPredictions, lower: float, higher: float
) -> None:
    lower, higher = sorted((lower, higher))
    assert not (rule(higher)(step) & ~rule(lower)(step)).any()


@pytest.mark.parametrize("rule", [LowEntropy, EntropyBound, Best])
@given(step=steps(), fewer=st.integers(1, 40), more=st.integers(1, 40))
def test_more_nats_or_slots_accept_no_slot_less(
    rule: Callable[[int], Sampler], step: SlotPredictions, fewer: int, more: int
) -> None:
    fewer, more = sorted((fewer, more))
    if rule is not Best:
        fewer, more = fewer / 10, more / 10  # type: ignore[assignment]
    assert not (rule(fewer)(step) & ~rule(more)(step)).any()


@given(step=steps(), shift=st.integers(-30, 30), inner=SAMPLERS)
def test_a_constant_added_to_a_slots_logits_changes_nothing(
    step: SlotPredictions, shift: int, inner: Sampler
) -> None:
    # Halves are exact in float32, so that rounding cannot move a slot over a threshold.
    logits = (step.logits.float().clamp(max=100) * 2).round() / 2
    step = replace(step, logits=logits)
    moved = replace(step, logits=logits + shift)
    measured = entropies(step) + margins(step) + confidences(step)
    again = entropies(moved) + margins(moved) + confidences(moved)
    assume(torch.equal(measured.nan_to_num(-1), again.nan_to_num(-1)))
    assert torch.equal(inner(step), inner(moved))


def test_confidence_takes_all_slots_at_or_above_the_threshold() -> None:
    step = step_of([0.875, 0.125], [0.75, 0.25], [0.5, 0.5], [1.0, 0.0])
    # The logarithm and the exponential of 0.75 and 0.875 are a rounding error off.
    assert ConfidenceThreshold(0.7499)(step).tolist() == [True, True, False, True]
    assert ConfidenceThreshold(0.8749)(step).tolist() == [True, False, False, True]
    assert ConfidenceThreshold(1.0)(step).tolist() == [False, False, False, True]
    assert ConfidenceThreshold(0.5)(step).tolist() == [True, True, True, True]


def test_confidence_takes_the_best_slot_if_none_is_above() -> None:
    step = step_of([0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [0.4, 0.3, 0.3])
    assert ConfidenceThreshold(0.9)(step).tolist() == [False, True, False]
    taken = replace(step, free=torch.tensor([True, False, True]))
    assert ConfidenceThreshold(0.9)(taken).tolist() == [True, False, False]


@given(step=steps())
def test_measures_are_those_of_all_probabilities_written_out(step: SlotPredictions) -> None:
    probabilities = step.logits.double().softmax(-1)
    some = ~probabilities.isnan().any(-1)
    rows = torch.arange(len(step.chosen))
    first, second = torch.nn.functional.pad(probabilities, (0, 1)).topk(2).values.unbind(-1)
    for measure, wanted in (
        (confidences(step), probabilities[rows, step.chosen]),
        (margins(step), first - second),
        (entropies(step), torch.special.entr(probabilities).sum(-1)),
    ):
        torch.testing.assert_close(measure[some].double(), wanted[some], atol=2e-3, rtol=0)
    likely = some & (probabilities[rows, step.chosen] > 0)
    assert not (likely & step.free & ~on_offer(step)).any()


def test_the_vocabulary_is_gone_through_once_for_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def watched(logits: Tensor) -> Unmasked:
        seen.append(logits)
        return unmask(logits)

    monkeypatch.setattr("midfill.inference.samplers.sampler.unmask", watched)
    for sampler in (ConfidenceThreshold(), TopMargin(), LowEntropy(), EntropyBound(), Best()):
        Blockwise(sampler, 1)(step_of([0.5, 0.5], [0.9, 0.1]))
        assert len(seen) == 1
        seen.clear()


def test_confidence_is_that_of_the_token_that_was_drawn() -> None:
    step = replace(step_of([0.9, 0.1], [0.6, 0.4]), chosen=torch.tensor([1, 0]))
    assert ConfidenceThreshold(0.95)(step).tolist() == [False, True]


def test_margin_prefers_a_slot_without_a_second_spelling() -> None:
    step = step_of([0.55, 0.45, 0.0], [0.5, 0.25, 0.25])
    assert ConfidenceThreshold(0.9)(step).tolist() == [True, False]
    assert TopMargin(0.9)(step).tolist() == [False, True]
    assert TopMargin(0.24)(step).tolist() == [False, True]
    assert TopMargin(0.09)(step).tolist() == [True, True]
    certain = step_of([1.0, 0.0], [0.0, 1.0], [0.75, 0.25])
    assert TopMargin(1.0)(certain).tolist() == [True, True, False]


def test_low_entropy_takes_all_slots_at_or_below_the_threshold() -> None:
    step = step_of([0.5, 0.5, 0.0, 0.0], [0.25] * 4, [1.0, 0.0, 0.0, 0.0])
    torch.testing.assert_close(entropies(step), torch.tensor([log(2), log(4), 0.0]))
    assert LowEntropy(0.1)(step).tolist() == [False, False, True]
    assert LowEntropy(0.7)(step).tolist() == [True, False, True]
    assert LowEntropy(1.4)(step).tolist() == [True, True, True]


def test_entropy_bound_spends_its_budget_on_all_slots_but_the_last() -> None:
    # Entropies: ln 2, ln 4, ln 2, 0. In order: slots 3, 0, 2, 1.
    flat, wide, sure = [0.5, 0.5, 0, 0], [0.25] * 4, [1.0, 0, 0, 0]
    step = step_of(flat, wide, flat, sure)
    # Without the last of them: 0; 0; ln 2; ln 2 + ln 2.
    assert EntropyBound(0.1)(step).tolist() == [True, False, False, True]
    assert EntropyBound(log(2) + 0.01)(step).tolist() == [True, False, True, True]
    assert EntropyBound(log(4) + 0.01)(step).tolist() == [True, True, True, True]


def test_entropy_bound_takes_the_surest_slot_however_unsure() -> None:
    step = step_of([0.25] * 4, [0.4, 0.3, 0.3, 0.0], [0.25] * 4)
    assert EntropyBound(1e-6)(step).tolist() == [False, True, False]


def test_of_equal_slots_the_leftmost_come_first() -> None:
    step = step_of(*[[0.5, 0.5]] * 5, free=[False, True, True, True, True])
    first = [False, True, False, False, False]
    assert ConfidenceThreshold(0.9)(step).tolist() == first
    assert TopMargin(0.9)(step).tolist() == first
    assert LowEntropy(0.1)(step).tolist() == first
    assert EntropyBound(0.1)(step).tolist() == first
    assert EntropyBound(log(2) + 0.01)(step).tolist() == [False, True, True, False, False]
    assert Best(2)(step).tolist() == [False, True, True, False, False]


def test_best_takes_as_many_as_it_says() -> None:
    step = step_of([0.6, 0.4], [0.9, 0.1], [0.5, 0.5], [0.8, 0.2])
    assert Best(1)(step).tolist() == [False, True, False, False]
    assert Best(2)(step).tolist() == [False, True, False, True]
    assert Best(9)(step).tolist() == [True, True, True, True]


def test_a_slot_whose_token_is_forbidden_is_not_accepted_even_as_the_last_one() -> None:
    step = step_of([1.0, 0.0], [0.5, 0.5])
    step = replace(step, chosen=torch.tensor([1, 0]))
    for sampler in (ConfidenceThreshold(), TopMargin(), LowEntropy(), EntropyBound(), Best()):
        assert sampler(step).tolist() == [False, True]
        assert sampler(replace(step, free=torch.tensor([True, False]))).tolist() == [False, False]


def test_entropy_ends_where_one_token_is_left_and_where_all_are_alike() -> None:
    logits = torch.zeros(2, 1000)
    logits[0, 1:] = FORBIDDEN
    torch.testing.assert_close(entropies(of(logits)), torch.tensor([0.0, log(1000)]))
    assert margins(of(logits)).tolist() == [1.0, 0.0]
    assert margins(of(torch.zeros(2, 1))).tolist() == [1.0, 1.0]


@given(
    seed=st.integers(0, 2**32),
    slots=st.integers(1, 40),
    scale=st.sampled_from([0.0, 0.5, 3.0, 10.0, 1000.0]),
    bound=st.floats(0.001, 30.0),
)
def test_entropy_bound_accepts_what_transformers_accepts(
    seed: int, slots: int, scale: float, bound: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    # Rows of different widths, and some certain ones, as at the end of a canvas.
    width = torch.rand(slots, 1, generator=random) * scale
    logits = width * torch.randn(slots, 50, generator=random)
    certain = torch.rand(slots, generator=random) < 0.3
    logits[certain] = -1e4
    logits[certain, 7] = 0.0
    theirs = EntropyBoundSampler(EntropyBoundSamplerConfig(bound), slots, 50, 8)
    theirs.accept_canvas(torch.zeros(1, slots), torch.ones(1, slots), logits[None], 1)
    ours = EntropyBound(bound)(of(logits))
    accepted = theirs.accepted_token_mask[0]
    # Of equal entropies theirs takes any.
    entropy = entropies(of(logits))
    assert entropy[ours].sort().values.tolist() == entropy[accepted].sort().values.tolist()
    if len(entropy.unique()) == len(entropy):
        assert ours.tolist() == accepted.tolist()


@given(seed=st.integers(0, 2**32), scale=st.sampled_from([0.1, 1.0, 20.0, 1e4]))
def test_entropy_is_to_the_bit_what_transformers_computes(seed: int, scale: float) -> None:
    logits = scale * torch.randn(7, 60, generator=torch.Generator().manual_seed(seed))
    theirs = torch.distributions.Categorical(logits=logits).entropy()
    assert torch.equal(entropies(of(logits)), theirs)


class RecordsOffers:
    """Accepts everything and notes what it was offered."""

    def __init__(self) -> None:
        self.offers: list[list[bool]] = []

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        self.offers.append(predictions.free.tolist())
        return predictions.free


@given(slots=st.integers(1, 40), size=st.integers(1, 45))
def test_blocks_are_finished_from_left_to_right(slots: int, size: int) -> None:
    inner = RecordsOffers()
    sampler = Blockwise(inner, size)
    step = step_of(*[[0.5, 0.5]] * slots)
    while step.free.any():
        step = replace(step, free=step.free & ~sampler(step))
    assert len(inner.offers) == -(-slots // size)
    offered = [[i for i, is_free in enumerate(offer) if is_free] for offer in inner.offers]
    assert offered == [
        list(range(start, min(start + size, slots))) for start in range(0, slots, size)
    ]


def test_a_block_is_offered_until_its_last_slot_is_accepted() -> None:
    step = step_of([0.5, 0.5], [0.6, 0.4], [1.0, 0.0], [1.0, 0.0])
    sampler = Blockwise(ConfidenceThreshold(0.9), 2)
    assert sampler(step).tolist() == [False, True, False, False]
    step = replace(step, free=torch.tensor([True, False, True, True]))
    assert sampler(step).tolist() == [True, False, False, False]
    step = replace(step, free=torch.tensor([False, False, True, True]))
    assert sampler(step).tolist() == [False, False, True, True]


@given(step=steps(), inner=SAMPLERS, size=st.integers(1, 13))
def test_blocks_change_nothing_if_one_holds_all(
    step: SlotPredictions, inner: Sampler, size: int
) -> None:
    whole = Blockwise(inner, max(size, len(step.free), 1))
    assert torch.equal(whole(step), inner(step))
    accepted = Blockwise(inner, size)(step).nonzero().flatten() // size
    first = on_offer(step).nonzero().flatten()[:1] // size
    assert set(accepted.tolist()) == set(first.tolist())


def test_options_give_each_sampler_its_own_default() -> None:
    assert sampler_of(Options()) == ConfidenceThreshold(0.9)
    assert sampler_of(Options(sampler=SlotScore.MARGIN)) == TopMargin(0.5)
    assert sampler_of(Options(sampler=SlotScore.ENTROPY)) == LowEntropy(0.3)
    assert sampler_of(Options(sampler=SlotScore.ENTROPY_BOUND)) == EntropyBound(0.1)
    assert set(RULES) == set(SlotScore)
    for score, rule in RULES.items():
        assert rule.sampler(rule.threshold) == type(sampler_of(Options(sampler=score)))()


def test_options_set_threshold_and_block() -> None:
    options = Options(sampler=SlotScore.ENTROPY_BOUND, threshold=2.5, block=8)
    assert sampler_of(options) == Blockwise(EntropyBound(2.5), 8)


@pytest.mark.parametrize(
    ("score", "threshold", "meaning"),
    [
        (SlotScore.CONFIDENCE, 1.01, "a probability"),
        (SlotScore.MARGIN, 90.0, "a difference of probabilities"),
        (SlotScore.ENTROPY, float("inf"), "nats for each slot"),
        (SlotScore.ENTROPY_BOUND, float("inf"), "nats for each step"),
    ],
)
def test_a_threshold_that_means_nothing_is_refused(
    score: SlotScore, threshold: float, meaning: str
) -> None:
    with pytest.raises(UsageError) as refused:
        sampler_of(Options(sampler=score, threshold=threshold))
    message = str(refused.value)
    assert message.startswith(f"model option threshold={threshold:g}: the sampler {score} takes")
    assert meaning in message
    assert "\n" not in message
