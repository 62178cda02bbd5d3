"""What a bidirectional model keeps between steps: exact where nothing has changed, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_absorbing import MASK, dream, llada

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.in_place.canvas import Accepted, HoleCanvas
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.options import Caching

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.absorbing.hole_keys import HoleKeys

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["shift", "no shift"])
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> BidirectionalModel:
    tiny = dream() if request.param == "shift" else llada()
    folder = tiny.write(tmp_path_factory.mktemp("tiny"))
    return opened(folder)


def opened(folder: Path) -> BidirectionalModel:
    checkpoint = read_checkpoint(folder, dtype=torch.float32, device=CPU)
    return BidirectionalModel(
        checkpoint.backbone,
        mask=checkpoint.tokens.mask,
        shift=checkpoint.shift,
        longest=checkpoint.longest,
        steps=CapturedSteps(CPU),
    )


def canvas(seed: int, prefix: int, slots: int, suffix: int) -> HoleCanvas:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 256, (prefix + suffix,), generator=generator).tolist()
    return HoleCanvas.masked(ids[:prefix], slots, ids[prefix:])


def exactly(model: BidirectionalModel, canvas: HoleCanvas, block: range) -> torch.Tensor:
    return model.predict(canvas, block, Caching.NONE, refresh=True)


SHAPES = st.tuples(
    st.integers(0, 1000), st.integers(0, 9), st.integers(1, 8), st.integers(0, 7)
).filter(lambda shape: shape[1] + shape[3] > 0)


@settings(max_examples=20)
@given(shape=SHAPES, caching=st.sampled_from(Caching), size=st.integers(1, 8))
def test_a_step_over_an_unchanged_canvas_is_exact_whatever_is_kept(
    model: BidirectionalModel, shape: tuple[int, int, int, int], caching: Caching, size: int
) -> None:
    hole = canvas(*shape)
    block = range(min(size, len(hole.slots)))
    wanted = exactly(model, hole, block)

    refreshed = model.predict(hole, block, caching, refresh=True)
    kept = model.predict(hole, block, caching, refresh=False)

    torch.testing.assert_close(refreshed, wanted, rtol=0, atol=2e-5)
    torch.testing.assert_close(kept, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("caching", [Caching.PREFIX, Caching.DUAL, Caching.OPEN])
def test_what_is_kept_goes_stale_when_a_slot_is_accepted_and_a_refresh_mends_it(
    model: BidirectionalModel, caching: Caching
) -> None:
    hole, block = canvas(3, 12, 6, 9), range(6)
    model.predict(hole, block, caching, refresh=True)
    hole = hole.accept({2: Accepted(65, 0.0)})
    wanted = exactly(model, hole, block)

    stale = model.predict(hole, block, caching, refresh=False)
    fresh = model.predict(hole, block, caching, refresh=True)

    assert not torch.allclose(stale, wanted, atol=1e-4)
    torch.testing.assert_close(fresh, wanted, rtol=0, atol=2e-5)


def test_slots_that_were_accepted_before_the_last_step_are_not_computed_again(
    model: BidirectionalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[list[int]] = []
    passes = model._passes
    step = passes.step

    def noted(
        keys: HoleKeys, tokens: torch.Tensor, positions: torch.Tensor, used: torch.Tensor
    ) -> torch.Tensor:
        computed.append((positions - hole.start).tolist())
        return step(keys, tokens, positions, used)

    monkeypatch.setattr(passes, "step", noted)
    hole, block = canvas(4, 6, 6, 5), range(6)
    model.predict(hole, block, Caching.OPEN, refresh=True)
    found = []
    for slot in (0, 1, 3):
        hole = hole.accept({slot: Accepted(65 + slot, 0.0)})
        found.append(model.predict(hole, block, Caching.OPEN, refresh=False))

    # With a shift a slot is predicted in the row before its own.
    rows = [[at for at in positions if at >= 0] for positions in computed]
    assert rows[0] == [0, 1, 2, 3, 4, 5]
    shifted = model._shift
    assert rows[1] == [1, 2, 3, 4, 5]
    assert rows[2] == ([1, 2, 3, 4, 5] if shifted else [2, 3, 4, 5])
    assert [len(logits) for logits in found] == [5, 4, 3]


def test_leaving_accepted_slots_out_is_what_dual_does_until_one_is_two_steps_old(
    model: BidirectionalModel,
) -> None:
    def predicted(caching: Caching) -> list[torch.Tensor]:
        hole, block = canvas(8, 6, 6, 5), range(6)
        found = [model.predict(hole, block, caching, refresh=True)]
        for slot in (0, 1, 2):
            hole = hole.accept({slot: Accepted(70 + slot, 0.0)})
            found.append(model.predict(hole, block, caching, refresh=False))
        return found

    dual, left_out = predicted(Caching.DUAL), predicted(Caching.OPEN)

    for step in (0, 1):
        torch.testing.assert_close(left_out[step], dual[step], rtol=0, atol=2e-5)
    assert not torch.allclose(left_out[3], dual[3], atol=1e-5)


def test_keeping_the_prefix_alone_is_nearer_to_the_truth_than_keeping_both_sides(
    model: BidirectionalModel,
) -> None:
    def error(caching: Caching) -> float:
        total = 0.0
        for seed in range(6):
            hole, block = canvas(seed, 6, 6, 16), range(6)
            model.predict(hole, block, caching, refresh=True)
            hole = hole.accept({1: Accepted(seed, 0.0), 4: Accepted(seed + 40, 0.0)})
            kept = model.predict(hole, block, caching, refresh=False).softmax(-1)
            total += float((kept - exactly(model, hole, block).softmax(-1)).abs().sum())
        return total

    assert error(Caching.NONE) < 1e-3 < error(Caching.PREFIX) < error(Caching.DUAL)


def test_a_longer_window_after_a_shorter_one_is_exact(model: BidirectionalModel) -> None:
    for shape in ((1, 4, 2, 3), (2, 30, 8, 20), (3, 5, 3, 2)):
        hole = canvas(*shape)
        block = range(len(hole.slots))
        model.predict(hole, block, Caching.DUAL, refresh=True)
        kept = model.predict(hole, block, Caching.DUAL, refresh=False)
        torch.testing.assert_close(kept, exactly(model, hole, block), rtol=0, atol=2e-5)


def test_buffers_that_were_given_back_are_made_anew(model: BidirectionalModel) -> None:
    hole, block = canvas(5, 8, 4, 8), range(4)
    model.predict(hole, block, Caching.DUAL, refresh=True)
    model.forget()
    model.predict(hole, block, Caching.DUAL, refresh=True)

    kept = model.predict(hole, block, Caching.DUAL, refresh=False)

    torch.testing.assert_close(kept, exactly(model, hole, block), rtol=0, atol=2e-5)


def test_masked_slots_see_the_suffix(model: BidirectionalModel) -> None:
    hole = canvas(7, 8, 4, 8)
    other = HoleCanvas(hole.prefix, hole.slots, hole.suffix[::-1])

    assert not torch.allclose(
        exactly(model, hole, range(4)), exactly(model, other, range(4)), atol=1e-3
    )


def test_lengths_scored_in_one_pass_score_as_each_on_its_own(model: BidirectionalModel) -> None:
    hole = canvas(9, 7, 1, 6)
    lengths = [1, 2, 5, 9]

    together = model.surety(hole.prefix, lengths, hole.suffix)

    for length, score in zip(lengths, together, strict=True):
        blank = HoleCanvas.masked(hole.prefix, length, hole.suffix)
        alone = exactly(model, blank, range(length)).softmax(-1).amax(-1).mean()
        assert score == pytest.approx(float(alone), abs=1e-5)
    assert MASK not in hole.prefix
