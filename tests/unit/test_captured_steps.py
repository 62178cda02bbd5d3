"""Steps that are captured and replayed compute what plain ones compute."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import torch
from recorded_operations import OperationRecorder
from tiny_absorbing import dream, llada
from tiny_diffusion_gemma import SLIDING_WINDOW, tiny_network

from midfill.inference.captured_steps import MOST_GRAPHS, PLAIN_RUNS, CapturedSteps
from midfill.inference.in_place.canvas import Accepted, HoleCanvas
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.absorbing.passes import ROW_STEP
from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
from midfill.inference.models.options import Caching
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.uniform.denoising import DenoisingRule, denoise

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.models.diffusion_gemma.context import EncodedContext

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def twice(x: Tensor) -> Tensor:
    return x * 2


def captured(steps: CapturedSteps, x: Tensor) -> Tensor:
    """The result once the call is a graph."""
    for _ in range(PLAIN_RUNS + 1):
        result = steps.run("twice", twice, x=x)
    return result


def test_a_graph_is_captured_only_for_what_comes_again() -> None:
    recorder = OperationRecorder()
    steps = CapturedSteps(CPU, recorder=recorder)

    results = [float(steps.run("twice", twice, x=torch.tensor([n]))) for n in range(6)]

    assert results == [0, 2, 4, 6, 8, 10]
    assert len(recorder.recordings) == 1
    assert recorder.recordings[0].replays == 6 - PLAIN_RUNS


def test_inputs_are_copied_and_the_output_is_written_where_it_was() -> None:
    steps = CapturedSteps(CPU, recorder=OperationRecorder())
    given = torch.tensor([1.0, 2.0])
    first = captured(steps, given)
    given.fill_(50.0)

    assert first.tolist() == [2.0, 4.0]

    second = steps.run("twice", twice, x=torch.tensor([3.0, 4.0]))

    assert second is first
    assert first.tolist() == [6.0, 8.0]
    assert given.tolist() == [50.0, 50.0]


def test_expanded_inputs_are_taken() -> None:
    steps = CapturedSteps(CPU, recorder=OperationRecorder())

    assert captured(steps, torch.tensor([1, 2]).expand(3, 2)).tolist() == [[2, 4]] * 3


def test_another_shape_is_another_graph() -> None:
    recorder = OperationRecorder()
    steps = CapturedSteps(CPU, recorder=recorder)

    assert captured(steps, torch.ones(2)).tolist() == [2, 2]
    assert captured(steps, torch.ones(3)).tolist() == [2, 2, 2]
    assert len(recorder.recordings) == steps.graphs == 2


def test_the_graph_that_was_not_used_for_longest_goes() -> None:
    recorder = OperationRecorder()
    steps = CapturedSteps(CPU, recorder=recorder)
    for width in range(1, MOST_GRAPHS + 1):
        captured(steps, torch.ones(width))
    steps.run("twice", twice, x=torch.ones(1))
    captured(steps, torch.ones(MOST_GRAPHS + 1))

    steps.run("twice", twice, x=torch.ones(1))
    assert steps.graphs == MOST_GRAPHS
    assert len(recorder.recordings) == MOST_GRAPHS + 1
    steps.run("twice", twice, x=torch.ones(2))
    assert len(recorder.recordings) == MOST_GRAPHS + 2


def test_what_cannot_be_captured_runs_without_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = OperationRecorder()
    steps = CapturedSteps(CPU, recorder=recorder)

    def reads_back(x: Tensor) -> Tensor:
        return x * float(x.sum())

    with caplog.at_level(logging.WARNING):
        results = [
            steps.run("reads", reads_back, x=torch.tensor([float(n)])).item() for n in range(6)
        ]

    assert results == [0, 1, 4, 9, 16, 25]
    assert recorder.recordings == []
    (line,) = [record.getMessage() for record in caplog.records]
    assert "not permitted" in line
    assert "\n" not in line


def test_running_out_of_memory_in_a_capture_is_not_taken_for_that() -> None:
    recorder = OperationRecorder(failure=torch.OutOfMemoryError("none left"))
    steps = CapturedSteps(CPU, recorder=recorder)

    with pytest.raises(torch.OutOfMemoryError):
        captured(steps, torch.ones(2))

    recorder.failure = None
    assert captured(steps, torch.ones(2)).tolist() == [2, 2]
    assert steps.graphs == 1


def test_nothing_is_captured_without_a_recorder_or_on_request() -> None:
    recorder = OperationRecorder()

    assert not CapturedSteps(CPU).capturing
    assert not CapturedSteps(CPU, recorder=recorder, capture=False).capturing
    assert captured(CapturedSteps(CPU, recorder=recorder, capture=False), torch.ones(1)) == 2
    assert recorder.recordings == []


@pytest.fixture(scope="module", params=["shift", "no shift"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny = dream() if request.param == "shift" else llada()
    return tiny.write(tmp_path_factory.mktemp("tiny"))


def opened(folder: Path, recorder: OperationRecorder | None = None) -> BidirectionalModel:
    checkpoint = read_checkpoint(folder, dtype=torch.float32, device=CPU)
    return BidirectionalModel(
        checkpoint.backbone,
        mask=checkpoint.tokens.mask,
        shift=checkpoint.shift,
        longest=checkpoint.longest,
        steps=CapturedSteps(CPU, recorder=recorder),
    )


def canvas(seed: int, prefix: int, slots: int, suffix: int) -> HoleCanvas:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 256, (prefix + suffix,), generator=generator).tolist()
    return HoleCanvas.masked(ids[:prefix], slots, ids[prefix:])


def denoised(model: BidirectionalModel, hole: HoleCanvas, caching: Caching) -> list[Tensor]:
    """The logits of eight steps, each of which fills one slot of the first block."""
    block = range(min(8, len(hole.slots)))
    found = [model.predict(hole, block, caching, refresh=True)]
    for slot in block[:-1]:
        hole = hole.accept({slot: Accepted(int(found[-1][0].argmax()), 0.0)})
        found.append(model.predict(hole, block, caching, refresh=False).clone())
    return found


HOLES = ((1, 20, 8, 20), (2, 7, 12, 30), (3, 20, 8, 20), (4, 200, 20, 150), (5, 20, 8, 20))
"""The fourth one needs larger buffers."""


@pytest.mark.parametrize("caching", [Caching.PREFIX, Caching.DUAL])
def test_captured_denoising_is_plain_denoising(folder: Path, caching: Caching) -> None:
    recorder = OperationRecorder()
    model, plain = opened(folder, recorder), opened(folder)

    for shape in HOLES:
        for ours, wanted in zip(
            denoised(model, canvas(*shape), caching),
            denoised(plain, canvas(*shape), caching),
            strict=True,
        ):
            torch.testing.assert_close(ours, wanted, rtol=0, atol=2e-5)

    assert sum(recording.replays for recording in recorder.recordings) > 12


def test_blocks_of_about_the_same_size_share_a_graph(folder: Path) -> None:
    recorder = OperationRecorder()
    model = opened(folder, recorder)
    for slots in range(3, 8):
        denoised(model, canvas(slots, 20, slots, 20), Caching.DUAL)

    assert len(recorder.recordings) == 1
    assert recorder.recordings[0].output.shape[1] == ROW_STEP


def test_graphs_go_before_the_buffers_that_they_write_to(folder: Path) -> None:
    recorder = OperationRecorder()
    model = opened(folder, recorder)
    denoised(model, canvas(1, 20, 8, 20), Caching.DUAL)
    (old,) = recorder.recordings
    replays = old.replays

    denoised(model, canvas(2, 200, 8, 150), Caching.DUAL)
    denoised(model, canvas(3, 20, 8, 20), Caching.DUAL)
    assert old.replays == replays

    clears = recorder.clears
    model.forget()
    assert recorder.clears == clears + 1
    denoised(model, canvas(4, 20, 8, 20), Caching.DUAL)
    assert old.replays == replays


def test_the_check_would_notice_a_graph_that_outlives_its_buffers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without clearing, a graph writes to buffers that nobody reads, and the fake shows it."""
    recorder = OperationRecorder()
    model, plain = opened(folder, recorder), opened(folder)
    monkeypatch.setattr(CapturedSteps, "clear", lambda self: None)
    wrong = False
    for shape in ((1, 20, 8, 20), (3, 21, 8, 20)):
        pairs = zip(
            denoised(model, canvas(*shape), Caching.DUAL),
            denoised(plain, canvas(*shape), Caching.DUAL),
            strict=True,
        )
        wrong = any(not torch.allclose(a, b, atol=1e-3) for a, b in pairs)
        model.forget()

    assert wrong


def gemma(recorder: OperationRecorder | None = None) -> DiffusionGemma:
    return DiffusionGemma(tiny_network(20.0), CapturedSteps(CPU, recorder=recorder))


def context_of(model: DiffusionGemma, length: int) -> EncodedContext:
    generator = torch.Generator().manual_seed(length)
    context = model.new_context()
    model.encode(torch.randint(5, 370, (length,), generator=generator).tolist(), context)
    return context


def looked_at(
    model: DiffusionGemma, context: EncodedContext, canvas: UniformCanvas, steps: int = 5
) -> list[Tensor]:
    """Logits of a few steps that condition on one another."""
    behind = model.behind(context)
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(5, 370, tuple(canvas.free.shape), generator=generator)
    found: list[Tensor] = []
    belief = None
    for _ in range(steps):
        found.append(behind.predict(canvas, ids, belief).clone())
        belief = behind.believe(canvas, found[-1])
        ids = canvas.filled(found[-1].argmax(-1))
    return found


CANVASES = (
    UniformCanvas.blank(16, CPU),
    UniformCanvas.before([5], [40, 41, 42], CPU),
    UniformCanvas.before([2, 4, 9], [40, 41], CPU),
)


@pytest.mark.parametrize("canvas", CANVASES, ids=["blank", "pinned", "several rows"])
def test_captured_canvases_behind_contexts_of_all_lengths_are_plain_ones(
    canvas: UniformCanvas,
) -> None:
    recorder = OperationRecorder()
    captured, plain = gemma(recorder), gemma()

    # shorter and longer than the sliding window, and than the buffers of the first one
    for length in (3, SLIDING_WINDOW, 60, 560, 9):
        pairs = zip(
            looked_at(captured, context_of(captured, length), canvas),
            looked_at(plain, context_of(plain, length), canvas),
            strict=True,
        )
        for ours, wanted in pairs:
            torch.testing.assert_close(ours, wanted, rtol=0, atol=2e-3)

    assert sum(recording.replays for recording in recorder.recordings) > 10


def test_one_graph_does_for_many_contexts_and_for_canvases_of_about_the_same_width() -> None:
    recorder = OperationRecorder()
    model = gemma(recorder)
    for length, width in ((30, 10), (90, 16), (200, 12)):
        looked_at(model, context_of(model, length), UniformCanvas.blank(width, CPU))

    assert len(recorder.recordings) == 1


def test_two_canvases_in_turns_each_stand_behind_their_own_context() -> None:
    captured, plain = gemma(OperationRecorder()), gemma()
    canvas = UniformCanvas.blank(16, CPU)
    ids = torch.arange(16)[None] + 20

    def in_turns(model: DiffusionGemma) -> list[Tensor]:
        behind = [model.behind(context_of(model, length)) for length in (30, 50)]
        return [behind[turn % 2].predict(canvas, ids, None).clone() for turn in range(8)]

    for ours, wanted in zip(in_turns(captured), in_turns(plain), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=0, atol=2e-3)


def test_forgetting_gives_graphs_and_buffers_back() -> None:
    recorder = OperationRecorder()
    model = gemma(recorder)
    context, canvas = context_of(model, 40), UniformCanvas.blank(16, CPU)
    before = looked_at(model, context, canvas)
    assert model.steps.graphs == 1
    assert model._static.nbytes > 0

    model.forget()

    assert model.steps.graphs == 0
    assert model._static.nbytes == 0
    for ours, wanted in zip(looked_at(model, context, canvas), before, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=0, atol=2e-3)


def test_the_loop_writes_the_same_with_graphs() -> None:
    def written(model: DiffusionGemma) -> list[list[int]]:
        found = []
        for seed in range(6):
            context = context_of(model, 20 + 11 * seed)
            generator = torch.Generator().manual_seed(seed)
            canvas = UniformCanvas.blank(16, CPU)
            *_, last = denoise(model.behind(context), canvas, DenoisingRule(8), [generator])
            found.append(last.best[0].tolist())
        return found

    assert written(gemma(OperationRecorder())) == written(gemma())
