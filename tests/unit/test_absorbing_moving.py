"""What stands behind a hole moves with every slot that the hole gains or loses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_operations import OperationRecorder
from tiny_absorbing import Tiny, coda, dream, llada

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.in_place.canvas import Accepted, HoleCanvas
from midfill.inference.models.absorbing import bidirectional
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.absorbing.passes import CAPACITY_STEP
from midfill.inference.models.options import Caching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=[dream, llada, coda], ids=["Qwen2", "Llama", "Qwen3"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny: Tiny = request.param()
    return tiny.write(tmp_path_factory.mktemp("tiny"))


def opened(
    folder: Path, *, layers: int = 2, recorder: OperationRecorder | None = None
) -> BidirectionalModel:
    checkpoint = read_checkpoint(folder, dtype=torch.float32, device=CPU)
    backbone = checkpoint.backbone
    backbone.config.num_hidden_layers = layers
    return BidirectionalModel(
        backbone,
        mask=checkpoint.tokens.mask,
        shift=checkpoint.shift,
        longest=checkpoint.longest,
        steps=CapturedSteps(CPU, recorder=recorder),
    )


@pytest.fixture(scope="module")
def one_layer(folder: Path) -> BidirectionalModel:
    """Its keys are made of nothing but a token and its position."""
    return opened(folder, layers=1)


@pytest.fixture(scope="module")
def model(folder: Path) -> BidirectionalModel:
    return opened(folder)


def canvas(seed: int, prefix: int, slots: int, suffix: int) -> HoleCanvas:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 256, (prefix + suffix,), generator=generator).tolist()
    return HoleCanvas.masked(ids[:prefix], slots, ids[prefix:])


def resized(hole: HoleCanvas, at: int, by: int) -> HoleCanvas:
    """The hole with slots more at some place, or less from there on."""
    slots = list(hole.slots)
    slots[at : at + max(0, -by)] = [None] * max(0, by)
    return replace(hole, slots=tuple(slots))


def exactly(model: BidirectionalModel, hole: HoleCanvas, block: range) -> torch.Tensor:
    return model.predict(hole, block, Caching.NONE, refresh=True)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    prefix=st.integers(0, 9),
    slots=st.integers(2, 12),
    suffix=st.integers(1, 30),
    block=st.integers(1, 12),
    moves=st.lists(st.tuples(st.integers(0, 11), st.integers(-3, 9)), min_size=1, max_size=4),
    caching=st.sampled_from([Caching.PREFIX, Caching.DUAL]),
)
def test_moved_keys_are_those_of_a_fresh_pass_where_they_know_nothing_of_the_hole(
    one_layer: BidirectionalModel,
    seed: int,
    prefix: int,
    slots: int,
    suffix: int,
    block: int,
    moves: list[tuple[int, int]],
    caching: Caching,
) -> None:
    hole = canvas(seed, prefix, slots, suffix)
    one_layer.predict(hole, range(min(block, slots)), caching, refresh=True)
    for at, by in moves:
        hole = resized(hole, min(at, block - 1), by)
        here = range(min(block, len(hole.slots)))
        if not here:
            return

        found = one_layer.predict(hole, here, caching, refresh=False)

        torch.testing.assert_close(found, exactly(one_layer, hole, here), rtol=0, atol=5e-5)


def off(model: BidirectionalModel, change: Callable[[HoleCanvas], HoleCanvas]) -> float:
    """How far what is kept is from the truth after a change, over some holes."""
    total = 0.0
    for seed in range(8):
        hole = canvas(seed, 6, 6, 24)
        model.predict(hole, range(6), Caching.DUAL, refresh=True)
        hole = change(hole)
        block = range(len(hole.slots))
        found = model.predict(hole, block, Caching.DUAL, refresh=False).softmax(-1)
        total += float((found - exactly(model, hole, block).softmax(-1)).abs().sum(-1).mean())
    return total


def test_moved_keys_are_about_as_near_the_truth_as_kept_ones_and_nearer_than_unturned_ones(
    model: BidirectionalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = off(model, lambda hole: hole.accept({2: Accepted(65, 0.0), 4: Accepted(70, 0.0)}))
    moved = off(model, lambda hole: resized(hole, 2, 2))
    turn = bidirectional.HoleKeys.move
    monkeypatch.setattr(
        bidirectional.HoleKeys,
        "move",
        lambda keys, start, delta, frequencies: turn(keys, start, delta, 0 * frequencies),
    )
    unturned = off(model, lambda hole: resized(hole, 2, 2))

    assert 0 < moved < 1.5 * kept
    assert moved < 0.8 * unturned


@pytest.mark.parametrize("caching", [Caching.PREFIX, Caching.DUAL])
def test_a_hole_that_outgrows_the_buffers_is_computed_anew(
    model: BidirectionalModel, caching: Caching
) -> None:
    model.forget()
    hole = canvas(1, 100, 8, CAPACITY_STEP - 130)
    model.predict(hole, range(8), caching, refresh=True)
    longer = resized(hole, 3, 20)

    found = model.predict(longer, range(28), caching, refresh=False)

    torch.testing.assert_close(found, exactly(model, longer, range(28)), rtol=0, atol=2e-5)


@pytest.mark.parametrize("caching", [Caching.PREFIX, Caching.DUAL])
def test_captured_steps_over_holes_that_change_in_length_are_plain_ones(
    folder: Path, caching: Caching
) -> None:
    recorder = OperationRecorder()
    captured, plain = opened(folder, recorder=recorder), opened(folder)

    def denoised(model: BidirectionalModel) -> list[torch.Tensor]:
        hole, found = canvas(2, 20, 8, 30), []
        for step, by in enumerate((0, 2, -1, 0, 3, -2, 1, 1)):
            hole = resized(hole, 3, by)
            block = range(len(hole.slots))
            found.append(model.predict(hole, block, caching, refresh=step == 0).clone())
        return found

    for ours, wanted in zip(denoised(captured), denoised(plain), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=0, atol=2e-5)
    assert sum(recording.replays for recording in recorder.recordings) >= 3
