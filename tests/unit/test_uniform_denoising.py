"""The loop for uniform noise, and its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill.inference.uniform.bans import Bans
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.uniform.denoising import NOTHING, DenoisingRule, Step, denoise
from midfill.inference.uniform.row_progress import RowProgress
from midfill.inference.uniform.schedule import LinearTemperature
from midfill.inference.uniform.stopping import StableAndConfident

if TYPE_CHECKING:
    from torch import Tensor

VOCABULARY = 20
CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")


class Neighbourly:
    """Predicts for each slot the successor of what the slot to its left holds.

    Attributes:
        beliefs: what it was given at each step.
        sureness: the logit of what it predicts.
    """

    vocabulary = VOCABULARY
    device = CPU

    def __init__(self, sureness: float = 6.0) -> None:
        self.sureness = sureness
        self.beliefs: list[Tensor | None] = []
        self.believed = 0

    def predict(self, canvas: UniformCanvas, ids: Tensor, belief: Tensor | None) -> Tensor:
        self.beliefs.append(belief)
        successors = (ids.roll(1, -1) + 1) % VOCABULARY
        successors[:, 0] = 1
        logits = torch.zeros(*ids.shape, VOCABULARY)
        logits.scatter_(-1, successors[..., None], self.sureness)
        return logits[canvas.free]

    def believe(self, canvas: UniformCanvas, logits: Tensor) -> Tensor:
        self.believed += 1
        probabilities = torch.nn.functional.one_hot(canvas.pinned, VOCABULARY).float()
        probabilities[canvas.free] = logits.softmax(-1)
        return probabilities


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def steps_of(model: Neighbourly, canvas: UniformCanvas, *seeds: int, **rule: object) -> list[Step]:
    return list(denoise(model, canvas, DenoisingRule(**rule), seeded(*seeds)))  # type: ignore[arg-type]


def test_a_canvas_settles_from_its_known_end_and_then_stops() -> None:
    steps = steps_of(Neighbourly(12.0), UniformCanvas.blank(6, CPU), 0)
    assert steps[-1].best[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert steps[-1].done.tolist() == [True]
    assert 2 <= len(steps) < 48
    assert not any(step.done.any() for step in steps[:-1])
    assert float(steps[-1].entropy.mean()) < 0.005


@pytest.mark.parametrize("sureness", [0.5, 12.0])
def test_nothing_is_believed_of_the_last_step(sureness: float) -> None:
    model = Neighbourly(sureness)
    steps = steps_of(model, UniformCanvas.blank(6, CPU), 0, steps=9)
    assert (len(steps) < 9) == (sureness > 1)
    assert model.believed == len(steps) - 1


def test_what_is_believed_of_a_row_that_is_done_changes_no_more() -> None:
    model = Neighbourly(12.0)
    steps = steps_of(model, UniformCanvas.before([1, 12], [4], CPU), 1, 2)
    first = next(step.number for step in steps if step.done[0])
    assert first + 1 < len(steps)
    settled = [belief[0] for belief in model.beliefs[first:] if belief is not None]
    assert all(torch.equal(belief, settled[0]) for belief in settled)


def test_an_unsure_model_takes_all_the_steps_it_may() -> None:
    steps = steps_of(Neighbourly(0.5), UniformCanvas.blank(6, CPU), 0, steps=7)
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6, 7]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.lists(st.integers(0, VOCABULARY - 1), max_size=6),
)
@settings(max_examples=30, deadline=None)
def test_pinned_slots_hold_their_tokens_at_every_step(lengths: list[int], known: list[int]) -> None:
    canvas = UniformCanvas.before(lengths, known, CPU)
    for step in steps_of(Neighbourly(2.0), canvas, *range(len(lengths)), steps=5):
        for row, length in enumerate(lengths):
            pinned = slice(length, length + len(known))
            assert step.held[row, pinned].tolist() == known
            assert step.best[row, pinned].tolist() == known
            assert step.entropy[row, pinned].sum() == 0
            assert step.log_probability[row, pinned].sum() == 0


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_row_becomes_what_it_becomes_alone(lengths: list[int], seed: int) -> None:
    known, seeds = [4, 5], [seed + number for number in range(len(lengths))]
    together = steps_of(
        Neighbourly(3.0), UniformCanvas.before(lengths, known, CPU), *seeds, steps=6
    )
    for row, length in enumerate(lengths):
        canvas, width = UniformCanvas.before([length], known, CPU), length + len(known)
        alone = steps_of(Neighbourly(3.0), canvas, seeds[row], steps=6)
        for one, other in zip(together, alone, strict=False):
            assert torch.equal(one.best[row, :width], other.best[0])
            assert torch.equal(one.held[row, :width], other.held[0])
            assert one.entropy[row, :width].tolist() == pytest.approx(other.entropy[0].tolist())


def test_a_row_that_is_done_changes_no_more_while_others_go_on() -> None:
    canvas = UniformCanvas.before([1, 12], [4], CPU)
    steps = steps_of(Neighbourly(12.0), canvas, 1, 2)
    first = next(step.number for step in steps if step.done[0])
    assert first < len(steps)
    for step in steps[first - 1 :]:
        assert torch.equal(step.held[0, :1], steps[first - 1].held[0, :1])
        assert torch.equal(step.entropy[0], steps[first - 1].entropy[0])


def test_the_model_is_told_what_it_believed_and_that_pinned_tokens_are_certain() -> None:
    model = Neighbourly()
    steps_of(model, UniformCanvas.before([3], [7, 8], CPU), 0, steps=3)
    first, *later = model.beliefs
    assert first is None
    assert len(later) == 2
    for belief in later:
        assert belief is not None
        assert belief[0, 3:].argmax(-1).tolist() == [7, 8]
        assert belief[0, 3:].max(-1).values.tolist() == [1.0, 1.0]
        assert belief[0, :3].max() < 1


@given(st.sets(st.integers(0, VOCABULARY - 1), max_size=VOCABULARY - 1), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_banned_tokens_are_never_written(banned: set[int], seed: int) -> None:
    everywhere = torch.zeros(VOCABULARY, dtype=torch.bool)
    everywhere[sorted(banned)] = True
    canvas = UniformCanvas.blank(8, CPU)
    rule = DenoisingRule(steps=4)
    for step in denoise(Neighbourly(), canvas, rule, seeded(seed), Bans(everywhere)):
        assert not banned & set(step.best[0].tolist())
        assert step.entropy.isfinite().all()
        assert step.log_probability.isfinite().all()


def test_the_first_slot_alone_can_be_told_more() -> None:
    only_nine = torch.arange(VOCABULARY) != 9
    bans = Bans(torch.zeros(VOCABULARY, dtype=torch.bool), only_nine)
    canvas = UniformCanvas.before([2, 4], [], CPU)
    *_, last = denoise(Neighbourly(12.0), canvas, DenoisingRule(), seeded(1, 2), bans)
    assert last.best[0].tolist()[:2] == [9, 10]
    assert last.best[1].tolist() == [9, 10, 11, 12]


def test_a_greedy_loop_samples_nothing() -> None:
    canvas = UniformCanvas.blank(1, CPU)
    for seed in range(20):
        first = steps_of(Neighbourly(0.5), canvas, seed, steps=1, greedy=True)[0]
        assert first.held[0].tolist() == first.best[0].tolist()


def test_log_probabilities_are_those_at_temperature_one() -> None:
    step = steps_of(Neighbourly(3.0), UniformCanvas.blank(4, CPU), 0, steps=1)[0]
    expected = float(torch.tensor([3.0] + [0.0] * (VOCABULARY - 1)).log_softmax(-1)[0])
    assert step.log_probability[0].tolist() == pytest.approx([expected] * 4)


def test_the_temperature_falls_from_the_first_to_above_the_last() -> None:
    schedule = LinearTemperature(0.8, 0.4)
    temperatures = [float(schedule.at(remaining, 4)) for remaining in (4, 3, 2, 1)]
    assert temperatures == pytest.approx([0.8, 0.7, 0.6, 0.5])
    warmer = schedule.beginning_at(1.2)
    assert (warmer.first, warmer.last) == pytest.approx((1.2, 0.6))


def test_it_is_done_when_it_is_stable_and_confident_at_once() -> None:
    same, other = torch.tensor([1, 2]), torch.tensor([1, 3])
    sure, unsure = torch.tensor([0.001, 0.001]), torch.tensor([0.0, 0.1])
    rule = StableAndConfident(stability=2)
    seen = [(same, sure), (same, sure), (same, unsure), (same, sure), (other, sure), (other, sure)]
    verdicts = [bool(rule([best], [entropy])[0]) for best, entropy in seen]
    assert verdicts == [False, False, False, True, False, False]
    assert bool(StableAndConfident(stability=0)([same], [sure])[0])


def test_a_fresh_rule_remembers_nothing() -> None:
    rule = StableAndConfident()
    same, sure = torch.tensor([1]), torch.tensor([0.0])
    rule([same], [sure])
    assert not bool(rule.fresh()([same], [sure])[0])
    assert bool(rule([same], [sure])[0])


def test_progress_tells_what_has_settled_from_what_still_changes() -> None:
    canvas, progress = UniformCanvas.before([4], [7], CPU), RowProgress()
    seen = [[1, 2, 3, 4, 7], [1, 2, 5, 4, 7], [1, 2, 5, 4, 7]]
    settled = []
    for number, best in enumerate(seen, 1):
        zeros = torch.zeros(1, 5)
        held = torch.tensor([best])
        progress.take(
            Step(number, canvas, held, held, zeros, zeros, torch.tensor([False])), slots=4
        )
        settled.append((progress.settled, progress.unsettled))
    assert settled == [([], 4), ([1, 2], 1), ([1, 2, 5, 4], 0)]
    assert (progress.best, progress.steps) == ([1, 2, 5, 4], 3)


def started(model: Neighbourly, believed: list[int], seed: int = 0, **rule: object) -> list[Step]:
    canvas, tokens = UniformCanvas.blank(len(believed), CPU), torch.tensor(believed)
    wanted = DenoisingRule(**rule)  # type: ignore[arg-type]
    return list(denoise(model, canvas, wanted, seeded(seed), None, tokens))


def test_a_canvas_that_starts_from_what_the_model_would_write_is_done_in_one_step() -> None:
    (step,) = started(Neighbourly(12.0), [1, 2, 3, 4, 5, 6])
    assert step.done.tolist() == [True]
    assert step.best[0].tolist() == [1, 2, 3, 4, 5, 6]


def test_the_first_step_keeps_what_it_agrees_with_and_makes_noise_of_the_rest() -> None:
    wrong = [1, 2, 3, 9, 10, 11]  # it has no reason to begin with 9 behind 3, but goes on behind it
    first, *_, last = started(Neighbourly(6.0), wrong)
    assert first.held[0, [0, 1, 2, 4, 5]].tolist() == [1, 2, 3, 10, 11]
    assert int(first.held[0, 3]) != 9
    assert not first.done.any()
    assert last.best[0].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("believed", [[1, 2, 3, 9, 10, 11], [9] * 6, [1, 2, 3, 4, NOTHING, 6]])
def test_whatever_it_starts_from_a_sure_model_writes_the_same(believed: list[int]) -> None:
    *_, last = started(Neighbourly(12.0), believed)
    assert last.best[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert last.number > 1


@pytest.mark.parametrize("seed", [0, 1])
def test_to_believe_nothing_is_to_start_from_noise(seed: int) -> None:
    plain = steps_of(Neighbourly(3.0), UniformCanvas.blank(6, CPU), seed, steps=6)
    nothing = started(Neighbourly(3.0), [NOTHING] * 6, seed, steps=6)
    assert [step.held.tolist() for step in nothing] == [step.held.tolist() for step in plain]
