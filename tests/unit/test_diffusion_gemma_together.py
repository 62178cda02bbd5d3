"""Fills of DiffusionGemma that share denoising steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import torch
from recorded_operations import OperationRecorder
from sharing_fills import Fill, alone, same, together
from tiny_diffusion_gemma import tiny_filler, tiny_network

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.errors import Cancelled
from midfill.inference.fillers.diffusion_gemma import DiffusionGemmaFiller
from midfill.inference.models.diffusion_gemma.context import (
    ContextStore,
    EncodedContext,
    token_bytes,
)
from midfill.inference.models.diffusion_gemma.loading import LoadedNetwork
from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
from midfill.inference.models.diffusion_gemma.wanted import SLOTS_TOGETHER
from midfill.inference.models.options import Length, Options, SuffixView
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.wire import InfillRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from midfill.inference.fillers.finishing import Middle
    from midfill.inference.fillers.uniform_attempt import LaidOut, Written

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
SUFFIX = "\n\ndef value(self):\n    return 1\n"

REQUESTS = (
    InfillRequest(prefix="import value\n\ndef total(self):\n    return ", suffix=SUFFIX, seed=1),
    InfillRequest(prefix="x = ", suffix="\n", seed=2),
    InfillRequest(prefix="value = total\n" * 50 + "def total(self):\n    ", suffix="\n", seed=3),
    InfillRequest(prefix="def middle():\n    re", suffix=SUFFIX * 4, seed=4, n=2),
)
"""Behind contexts shorter and longer than the sliding window, and than a buffer's step."""


@dataclass
class Counted:
    """Passes over canvases: the rows and the slots of each."""

    rows: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted, step = Counted(), DiffusionGemma.step

    def noted(model: DiffusionGemma, ids: Tensor, *rest: object) -> Tensor:
        counted.rows.append(ids.shape[0])
        counted.slots.append(ids.numel())
        return step(model, ids, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(DiffusionGemma, "step", noted)
    return counted


@pytest.fixture
def slots(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[int]]]:
    """What each attempt wrote in its slots, by the text in front of the hole.

    A random model writes hardly anything that becomes text.
    """
    slots: dict[str, list[list[int]]] = {}
    finished = DiffusionGemmaFiller._finished

    def noted(filler: DiffusionGemmaFiller, written: Written, laid_out: LaidOut) -> Middle:
        slots.setdefault(laid_out.request.prefix, []).append(list(written.ids))
        return finished(filler, written, laid_out)

    monkeypatch.setattr(DiffusionGemmaFiller, "_finished", noted)
    return slots


def taken(slots: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
    """What was written since this was last asked."""
    written = dict(slots)
    slots.clear()
    return written


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> DiffusionGemmaFiller:
    return tiny_filler(tmp_path_factory.mktemp("model"))


@pytest.fixture
def fillers(opened: DiffusionGemmaFiller) -> Callable[..., DiffusionGemmaFiller]:
    def filler(
        view: SuffixView, recorder: OperationRecorder | None = None, **options: object
    ) -> DiffusionGemmaFiller:
        fields = {"canvas": 32, "steps": 4, "suffix": view, "weights": "float32", **options}
        loaded = opened._loaded
        if recorder is not None:
            steps = CapturedSteps(CPU, recorder=recorder)
            network = DiffusionGemma(loaded.model.network, steps)
            loaded = LoadedNetwork(network, loaded.published)
        return DiffusionGemmaFiller(
            loaded, opened._tokenizer, opened._markers, Options.model_validate(fields), "tiny"
        )

    return filler


VIEWS = (
    (SuffixView.PROMPT, Length.AUTO),
    (SuffixView.PINNED, Length.FIXED),
    (SuffixView.PINNED, Length.SEARCH),
    (SuffixView.BOTH, Length.SEARCH),
)


@pytest.mark.parametrize(("view", "length"), VIEWS)
def test_fills_at_once_write_what_each_writes_alone_in_fewer_passes(
    fillers: Callable[..., DiffusionGemmaFiller],
    slots: dict[str, list[list[int]]],
    counted: Counted,
    view: SuffixView,
    length: Length,
) -> None:
    filler = fillers(view, length=length)
    wanted = [alone(filler, asked) for asked in REQUESTS]
    kept = taken(slots)
    separate = len(counted.rows)
    counted.rows.clear()

    fills = [Fill(asked) for asked in REQUESTS]
    together(filler, fills)

    assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
    assert taken(slots) == kept
    assert len(counted.rows) < (0.9 if length is Length.SEARCH else 0.7) * separate


def test_canvases_of_several_widths_share_steps(
    fillers: Callable[..., DiffusionGemmaFiller],
    slots: dict[str, list[list[int]]],
    opened: DiffusionGemmaFiller,
    counted: Counted,
) -> None:
    narrow = fillers(SuffixView.PINNED, length=Length.FIXED)
    wide = DiffusionGemmaFiller(
        narrow._loaded,
        opened._tokenizer,
        opened._markers,
        narrow._options.model_copy(update={"canvas": 64}),
        "wide",
    )
    wanted = [
        alone(filler, asked) for filler, asked in ((narrow, REQUESTS[0]), (wide, REQUESTS[1]))
    ]
    kept = taken(slots)
    counted.rows.clear()

    fills = [Fill(REQUESTS[0]), Fill(REQUESTS[1], filler=wide)]
    together(narrow, fills)

    assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
    assert taken(slots) == kept
    assert max(counted.rows) == 2


def test_fills_join_and_leave_in_midway(
    fillers: Callable[..., DiffusionGemmaFiller],
    slots: dict[str, list[list[int]]],
    counted: Counted,
) -> None:
    filler = fillers(SuffixView.PINNED, length=Length.FIXED, steps=12)
    wanted = [alone(filler, asked) for asked in REQUESTS]
    kept = taken(slots)
    counted.rows.clear()

    fills = [Fill(asked, joins=2 * number) for number, asked in enumerate(REQUESTS)]
    together(filler, fills)

    assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
    assert taken(slots) == kept
    assert counted.rows[0] == 1
    assert max(counted.rows) > 1


def test_a_fill_that_is_alone_is_computed_as_outside_of_sharing(
    fillers: Callable[..., DiffusionGemmaFiller], counted: Counted
) -> None:
    filler = fillers(SuffixView.PROMPT)
    wanted = alone(filler, REQUESTS[0])
    passes = list(zip(counted.rows, counted.slots, strict=True))
    counted.rows.clear()
    counted.slots.clear()

    fill = Fill(REQUESTS[0])
    together(filler, [fill])

    assert fill.finished.log_probabilities == wanted.log_probabilities
    assert list(zip(counted.rows, counted.slots, strict=True)) == passes


def test_a_cancelled_fill_and_one_that_fails_leave_the_others_unharmed(
    fillers: Callable[..., DiffusionGemmaFiller], monkeypatch: pytest.MonkeyPatch
) -> None:
    filler = fillers(SuffixView.PINNED, length=Length.FIXED, steps=8)
    wanted = [alone(filler, asked) for asked in REQUESTS]
    several, head = DiffusionGemma.several_steps, DiffusionGemma.head
    bad = InfillRequest(prefix="total = value + ", suffix="\n    )\n")
    pinned = len(filler._lay_out(bad).prompt.pinned)

    def fails_beside_others(
        model: DiffusionGemma, rows: list[tuple[Tensor, ...]], *rest: object
    ) -> list[Tensor]:
        if any(ids.shape[1] - pinned == 7 for ids, _, _ in rows):
            raise MemoryError
        return several(model, rows, *rest)  # type: ignore[arg-type]

    def fails(model: DiffusionGemma, states: Tensor) -> Tensor:
        if len(states) == 7:
            raise ValueError("stumbled")
        return head(model, states)

    monkeypatch.setattr(DiffusionGemma, "several_steps", fails_beside_others)
    monkeypatch.setattr(DiffusionGemma, "head", fails)
    limited = bad.model_copy(update={"limits": bad.limits.model_copy(update={"tokens": 7})})

    gone = Fill(REQUESTS[3], cancelled_after=1)
    stumbling = Fill(limited)
    others = [Fill(asked) for asked in (REQUESTS[1], REQUESTS[2])]
    together(filler, [others[0], gone, stumbling, others[1]])

    assert isinstance(gone.error, Cancelled)
    assert isinstance(stumbling.error, ValueError)
    assert same(others[0].finished, wanted[1])
    assert same(others[1].finished, wanted[2])
    assert filler.contexts._in_use == []


@pytest.mark.parametrize("view", [SuffixView.PROMPT, SuffixView.BOTH])
def test_what_a_seed_draws_does_not_depend_on_the_neighbours(
    fillers: Callable[..., DiffusionGemmaFiller],
    slots: dict[str, list[list[int]]],
    view: SuffixView,
) -> None:
    filler = fillers(view)
    warm = [
        asked.model_copy(update={"temperature": 1.5, "seed": seed})
        for seed, asked in enumerate(REQUESTS)
    ]
    wanted = [alone(filler, asked) for asked in warm]
    kept = taken(slots)

    fills = [Fill(asked) for asked in warm]
    together(filler, fills)

    assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
    assert taken(slots) == kept


@pytest.mark.parametrize("view", [SuffixView.PROMPT, SuffixView.PINNED])
def test_captured_steps_over_several_canvases_are_plain_ones(
    fillers: Callable[..., DiffusionGemmaFiller],
    slots: dict[str, list[list[int]]],
    view: SuffixView,
) -> None:
    recorder = OperationRecorder()
    captured, plain = fillers(view, recorder), fillers(view)
    wanted = [alone(plain, asked) for asked in REQUESTS]
    kept = taken(slots)

    for _ in range(3):
        fills = [Fill(asked, joins=number) for number, asked in enumerate(REQUESTS)]
        together(captured, fills)
        assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
        assert taken(slots) == kept

    several = [one for one in recorder.recordings if one.output.shape[0] > 1]
    assert sum(one.replays for one in several) > 0


def test_fills_under_way_go_on_when_all_that_is_held_is_dropped(
    fillers: Callable[..., DiffusionGemmaFiller],
    slots: dict[str, list[list[int]]],
) -> None:
    """As where one of them has run out of memory. Contexts in use stay: they are exact."""
    filler = fillers(SuffixView.PINNED, OperationRecorder(), length=Length.FIXED, steps=8)
    wanted = [alone(filler, asked) for asked in REQUESTS]
    kept = taken(slots)
    fills = [Fill(asked) for asked in REQUESTS]

    def dropping(number: int) -> None:
        if number in (8, 11):
            filler.forget()
            assert filler._model._static.nbytes == 0

    together(filler, fills, dropping)

    assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
    assert taken(slots) == kept


def test_a_canvas_that_grows_narrower_meanwhile_does_so_for_later_fills_alone(
    fillers: Callable[..., DiffusionGemmaFiller],
) -> None:
    filler = fillers(SuffixView.PINNED, length=Length.FIXED, canvas=64)
    wanted = alone(filler, REQUESTS[2])
    early, late = Fill(REQUESTS[2]), Fill(REQUESTS[2], joins=30)

    def shrinking(number: int) -> None:
        if number == 1:
            assert filler.shrink()

    together(filler, [early, late], shrinking)

    assert same(early.finished, wanted)
    assert late.finished.tokens < early.finished.tokens


def test_a_pass_is_bounded_with_what_fills_it_up(
    fillers: Callable[..., DiffusionGemmaFiller], counted: Counted
) -> None:
    filler = fillers(SuffixView.PINNED, length=Length.FIXED, canvas=256, steps=9)
    fills = [
        Fill(asked.model_copy(update={"limits": asked.limits.model_copy(update={"tokens": 200})}))
        for asked in (*REQUESTS[:3], *REQUESTS[:2])
    ]
    together(filler, fills)

    assert max(counted.rows) == SLOTS_TOGETHER // 256
    assert max(counted.slots) <= SLOTS_TOGETHER


def test_contexts_of_several_fills_count_among_what_the_store_may_hold() -> None:
    model = DiffusionGemma(tiny_network())

    def encoded(seed: int) -> EncodedContext:
        context = model.new_context()
        ids = torch.randint(5, 370, (50,), generator=torch.Generator().manual_seed(seed))
        model.encode(ids.tolist(), context)
        return context

    contexts = [encoded(seed) for seed in range(4)]
    store = ContextStore(3 * contexts[0].nbytes)
    for context in contexts[:3]:
        store.put(context)
    taken = [store.take(context.tokens, model.new_context) for context in contexts[:2]]
    assert len(store) == 1

    store.put(contexts[3])
    assert len(store) == 1  # with two in use there is room for one
    for context in taken:
        store.put(context)
    assert len(store) == 3
    assert store._in_use == []


def test_what_a_token_of_context_takes_is_what_contexts_are_made_of() -> None:
    model = DiffusionGemma(tiny_network())
    context = model.new_context()
    model.encode([5, 6, 7], context)

    assert token_bytes(model._config, torch.float32) == context.token_bytes
    assert model.fill_bytes(10) == 20 * context.token_bytes


def test_a_row_of_several_is_predicted_as_behind_its_own_context_alone() -> None:
    model = DiffusionGemma(tiny_network(20.0))
    behind, canvases, ids = [], [], []
    for seed, (length, canvas) in enumerate(
        (
            (3, UniformCanvas.blank(16, CPU)),
            (40, UniformCanvas.before([5], [40, 41], CPU)),
            (600, UniformCanvas.blank(20, CPU)),
        )
    ):
        generator = torch.Generator().manual_seed(seed)
        context = model.new_context()
        model.encode(torch.randint(5, 370, (length,), generator=generator).tolist(), context)
        behind.append(model.behind(context))
        canvases.append(canvas)
        ids.append(torch.randint(5, 370, tuple(canvas.free.shape), generator=generator))
    belief = [one.believed(own, None) for one, own in zip(behind, ids, strict=True)]
    present = [canvas.present for canvas in canvases]

    found = model.several_steps(list(zip(ids, belief, present, strict=True)), behind)

    for one, own, canvas, states in zip(behind, ids, canvases, found, strict=True):
        wanted = one.states(canvas, own, None, 1)
        torch.testing.assert_close(canvas.of_free(states), wanted, rtol=0, atol=2e-4)


def test_a_context_is_found_by_its_own_caller_alone(
    fillers: Callable[..., DiffusionGemmaFiller],
) -> None:
    filler = fillers(SuffixView.PINNED, length=Length.FIXED)
    together(filler, [Fill(REQUESTS[0], caller="ann"), Fill(REQUESTS[0], caller="bob")])
    assert len(filler.contexts) == 2

    def hits(caller: str) -> int:
        fill = Fill(REQUESTS[0], caller=caller)
        fill.make(filler)
        return fill.finished.cache.hit_tokens

    assert hits("eve") == 0
    assert hits("ann") > 0
    filler.forget_caller("ann")
    assert hits("ann") == 0
    assert hits("bob") > 0
