"""Fills of bidirectional models that share forward passes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
import torch
from recorded_operations import OperationRecorder
from sharing_fills import Fill, alone, same, together
from tiny_absorbing import MODELS, dream, dreamon

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.engine import Engine
from midfill.inference.errors import Cancelled, MidfillError
from midfill.inference.fillers import at_once
from midfill.inference.fillers.in_place import InPlaceFiller
from midfill.inference.in_place.canvas import HoleCanvas
from midfill.inference.models.absorbing.passes import ROWS_TOGETHER, Passes
from midfill.inference.models.options import Caching
from midfill.inference.shared_steps import Kind, SharedSteps
from midfill.inference.wire import Extent, HoleSpan, InfillRequest, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

pytestmark = pytest.mark.usefixtures("one_thread")

SUFFIX = "\n\n\ndef other():\n    return 1\n"
LONG = "import value\n\n\ndef total(values):\n    " + "return value\n    " * 12 + "retu"

REQUESTS = (
    InfillRequest(prefix="def total(values):\n    retu", suffix=SUFFIX, limits=Limits(tokens=12)),
    InfillRequest(prefix="x = ", suffix="\n", limits=Limits(tokens=20)),
    InfillRequest(
        prefix=LONG,
        suffix=SUFFIX * 3,
        holes=(HoleSpan(start=len(LONG), end=len(LONG), extent=Extent.LINES),),
        limits=Limits(tokens=7),
    ),
    InfillRequest(prefix="import os\n\nfor name in os.lis", limits=Limits(tokens=30)),
)
"""Texts of 6 to 120 tokens, holes of 7 to 30 slots."""

OPTIONS = {
    "as it comes": "",
    "nothing kept": ",cache=none,length=fixed",
    "prefix": ",cache=prefix,length=fixed,canvas=32",
    "blocks": ",cache=open,block=4,ahead=2,length=fixed",
    "end of middle": ",length=end-of-middle,steps=6",
    "believed": ",start=believed",
}


@dataclass
class Counted:
    """The passes of a backbone: how many texts or holes each was over, and how many positions."""

    rows: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted, forward = Counted(), Passes._forward

    def noted(passes: Passes, tokens: Tensor, *rest: object) -> Tensor:
        counted.rows.append(tokens.shape[0])
        counted.positions.append(tokens.numel())
        return forward(passes, tokens, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Passes, "_forward", noted)
    return counted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dream().write(tmp_path_factory.mktemp("dream"))


def opened(
    folder: Path, options: str = "", recorder: OperationRecorder | None = None
) -> InPlaceFiller:
    """A filler that writes nothing but words: of other bytes most are no characters."""
    engine = Engine(f"{folder},weights=float32{options}")
    engine.load()
    filler = engine.filler
    assert isinstance(filler, InPlaceFiller)
    pieces = filler._checkpoint.tokenizer.vocabulary_bytes
    words = [piece.strip(b" ") for piece in pieces]
    others = [token for token, word in enumerate(words) if word and not word.isalpha()]
    banned = torch.cat([filler._how.banned, torch.tensor(others)])
    filler._how = replace(filler._how, banned=banned)
    if recorder is not None:
        filler._model._passes.steps = CapturedSteps(torch.device("cpu"), recorder=recorder)
    return filler


def passes_alone(filler: InPlaceFiller, counted: Counted) -> int:
    """How many passes the requests take one after the other."""
    before = len(counted.rows)
    for asked in REQUESTS:
        alone(filler, asked)
    return len(counted.rows) - before


def share_of_passes(filler: InPlaceFiller, counted: Counted) -> float:
    """The passes of all requests at once, by those of one after the other; texts are the same."""
    wanted = [alone(filler, asked) for asked in REQUESTS]
    separate = passes_alone(filler, counted)
    counted.rows.clear()
    counted.positions.clear()

    fills = [Fill(asked) for asked in REQUESTS]
    together(filler, fills)

    assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
    return len(counted.rows) / separate


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_fills_at_once_write_what_each_writes_alone_in_fewer_passes(
    folder: Path, counted: Counted, options: str
) -> None:
    filler = opened(folder, options)
    assert share_of_passes(filler, counted) < 0.8
    assert max(counted.rows) > 2


@pytest.mark.parametrize("name", MODELS)
def test_every_family_shares_its_passes(tmp_path: Path, counted: Counted, name: str) -> None:
    filler = opened(MODELS[name].write(tmp_path), ",length=fixed,canvas=32")
    assert share_of_passes(filler, counted) < 0.6


def test_holes_that_change_in_length_share_steps(tmp_path: Path, counted: Counted) -> None:
    filler = opened(dreamon().write(tmp_path))
    assert share_of_passes(filler, counted) < 1


def test_fills_join_and_leave_in_midway(folder: Path, counted: Counted) -> None:
    filler = opened(folder, ",length=fixed")
    wanted = [alone(filler, asked) for asked in REQUESTS]
    counted.rows.clear()

    fills = [Fill(asked, joins=3 * number) for number, asked in enumerate(REQUESTS)]
    together(filler, fills)

    assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
    assert counted.rows[0] == counted.rows[-1] == 1
    assert max(counted.rows) > 1


def test_a_fill_that_is_alone_is_computed_as_outside_of_sharing(
    folder: Path, counted: Counted
) -> None:
    filler = opened(folder)
    wanted = alone(filler, REQUESTS[0])
    passes = list(zip(counted.rows, counted.positions, strict=True))
    counted.rows.clear()
    counted.positions.clear()

    fill = Fill(REQUESTS[0])
    together(filler, [fill])

    assert fill.finished.log_probabilities == wanted.log_probabilities
    assert list(zip(counted.rows, counted.positions, strict=True)) == passes


def test_a_cancelled_fill_and_one_that_fails_leave_the_others_unharmed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filler = opened(folder, ",length=fixed")
    wanted = [alone(filler, asked) for asked in REQUESTS]
    bad = InfillRequest(prefix="bad = ", suffix="\n", limits=Limits(tokens=9))
    several, slots = Passes.several, Passes.slots

    def fails(passes: Passes, given: object) -> object:
        parts = given if isinstance(given, list) else [given]
        if any(len(part.tokens) < 18 for part in parts):
            raise ValueError("stumbled")
        return several(passes, given) if isinstance(given, list) else slots(passes, given)  # type: ignore[arg-type]

    monkeypatch.setattr(Passes, "several", fails)
    monkeypatch.setattr(Passes, "slots", fails)

    gone = Fill(REQUESTS[3], cancelled_after=1)
    stumbling = Fill(bad)
    others = [Fill(asked) for asked in (REQUESTS[0], REQUESTS[2])]
    together(filler, [others[0], gone, stumbling, others[1]])

    assert isinstance(gone.error, Cancelled)
    assert isinstance(stumbling.error, ValueError)
    assert same(others[0].finished, wanted[0])
    assert same(others[1].finished, wanted[2])
    assert (
        filler._model._passes.buffers._holders.count(None) == filler._model._passes.buffers.places
    )


def test_what_a_seed_draws_does_not_depend_on_the_neighbours(folder: Path) -> None:
    filler = opened(folder)
    warm = [
        asked.model_copy(update={"temperature": 1.2, "seed": seed, "n": 2})
        for seed, asked in enumerate(REQUESTS)
    ]
    wanted = [alone(filler, asked) for asked in warm]

    fills = [Fill(asked) for asked in warm]
    together(filler, fills)

    assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))


def test_what_is_held_survives_the_growth_of_the_buffers_in_midway(folder: Path) -> None:
    filler = opened(folder, ",length=fixed")
    longer = InfillRequest(
        prefix="x = 1\n" * 150, suffix=SUFFIX, limits=Limits(tokens=8)
    )  # in a larger place than those of the others
    wanted = [alone(filler, asked) for asked in (REQUESTS[0], longer)]

    early, late = Fill(REQUESTS[0]), Fill(longer, joins=4)
    together(filler, [early, late])

    assert len(early.drafts) > 4
    assert same(early.finished, wanted[0])
    assert same(late.finished, wanted[1])


def test_fills_under_way_go_on_when_all_that_is_held_is_dropped(folder: Path) -> None:
    """As where one of them has run out of memory."""
    filler = opened(folder, ",length=fixed")
    fills = [Fill(asked) for asked in REQUESTS[:2]]

    def dropping(number: int) -> None:
        if number == 5:
            assert filler._model._passes.buffers.nbytes > 0
            filler.forget()
            assert filler._model._passes.buffers.nbytes == 0

    together(filler, fills, dropping)

    assert all(fill.finished.tokens > 0 for fill in fills)


def test_one_that_runs_out_of_memory_starts_again_and_the_others_write_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(f"{folder},weights=float32,canvas=64,length=fixed")
    engine.load()
    filler = engine.filler
    assert isinstance(filler, InPlaceFiller)
    hungry = InfillRequest(prefix="hungry = ", suffix="\n", limits=Limits(tokens=64))
    text = Passes.text
    tried: list[int] = []

    def limited(passes: Passes, tokens: list[int], keys: object) -> Tensor:
        masks = tokens.count(passes.mask)
        if masks > 32:
            tried.append(masks)
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1")
        return text(passes, tokens, keys)  # type: ignore[arg-type]

    monkeypatch.setattr(Passes, "text", limited)
    monkeypatch.setattr(Passes, "texts", lambda *given: (_ for _ in ()).throw(MemoryError))
    finals: dict[str, object] = {}
    steps = SharedSteps()
    for asked in (hungry, REQUESTS[0]):

        def work(asked: InfillRequest = asked) -> None:
            *_, finals[asked.prefix] = engine.infill(asked)

        steps.begin(work, lambda: False)
    while len(steps):
        steps.advance()

    assert tried == [64, 64]
    assert finals[hungry.prefix].tokens == 32  # type: ignore[attr-defined]
    assert finals[REQUESTS[0].prefix].tokens > 0  # type: ignore[attr-defined]
    assert filler._options.canvas == 32


def test_a_canvas_that_predicts_no_numbers_spoils_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filler = opened(folder, ",length=fixed")
    wanted = alone(filler, REQUESTS[0])
    embedding = filler._checkpoint.backbone.model.embed_tokens
    damaged = embedding.weight.detach().clone()
    damaged[ord("Q") - 33] = torch.nan  # the byte alphabet begins with "!"
    monkeypatch.setattr(embedding, "weight", torch.nn.Parameter(damaged, requires_grad=False))

    bad = Fill(InfillRequest(prefix="Q = ", suffix="\n", limits=Limits(tokens=12)))
    good = Fill(REQUESTS[0])
    together(filler, [bad, good])

    assert isinstance(bad.error, MidfillError)
    assert same(good.finished, wanted)


@pytest.mark.parametrize("options", ["", ",cache=open,block=4,length=fixed"])
def test_captured_steps_over_several_holes_are_plain_ones(folder: Path, options: str) -> None:
    recorder = OperationRecorder()
    captured, plain = opened(folder, options, recorder), opened(folder, options)
    wanted = [alone(plain, asked) for asked in REQUESTS]

    for _ in range(2):
        fills = [Fill(asked, joins=number) for number, asked in enumerate(REQUESTS)]
        together(captured, fills)
        assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))

    several = [one for one in recorder.recordings if one.output.shape[0] > 1]
    assert sum(one.replays for one in several) > 3
    assert {one.output.shape[0] for one in several} <= {2, 4}


def test_a_pass_is_bounded_with_what_fills_it_up(folder: Path, counted: Counted) -> None:
    filler = opened(folder, ",length=fixed,canvas=64,threshold=1")
    asked = [
        InfillRequest(prefix="x = 1\n" * 60, suffix="\n", limits=Limits(tokens=64))
        for _ in range(6)
    ]
    fills = [Fill(one) for one in asked]
    together(filler, fills)

    assert max(counted.rows) > 1
    for rows, positions in zip(counted.rows, counted.positions, strict=True):
        assert rows == 1 or positions <= ROWS_TOGETHER
    # Every text is longer than half of that, so that each goes alone.
    assert sum(positions > ROWS_TOGETHER // 2 for positions in counted.positions) >= 6


def test_a_step_that_has_lost_its_keys_is_a_whole_text(folder: Path) -> None:
    model = opened(folder)._model
    hole = HoleCanvas.masked([40, 41, 42], 4, [50, 51])
    steps, found = SharedSteps(), []

    def work() -> None:
        with model.for_one_fill() as own:
            for refresh in (True, False):
                found.append(own.predict(hole, range(4), Caching.DUAL, refresh=refresh))

    steps.begin(work, lambda: False)
    steps.advance()
    (fill,) = steps._fills
    assert fill.wanted is not None
    assert fill.wanted.kind is Kind.STEP

    model.forget()
    assert fill.wanted.kind is Kind.CONTEXT
    steps.advance()

    assert len(steps) == 0
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=2e-5)


def test_what_was_written_for_one_caller_is_believed_of_no_other(folder: Path) -> None:
    filler = opened(folder, ",start=believed")
    fills = [Fill(asked, caller="ann") for asked in REQUESTS]
    together(filler, fills)
    prefix, written = next(
        (fill.asked.prefix, fill.finished.text) for fill in fills if fill.finished.text
    )

    assert filler._fills.left(prefix, "ann") == written
    assert filler._fills.left(prefix, "bob") == ""
    filler.forget_caller("ann")
    assert filler._fills.left(prefix, "ann") == ""
    assert filler._model._passes.buffers.nbytes == 0


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Memory of a card that is not there."""
    memory = {"free": 0, "reserved": 0, "allocated": 0}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (memory["free"], 2**40))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: memory["reserved"])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: memory["allocated"])
    return memory


@pytest.mark.parametrize(
    ("free", "fitting"), [(0, 1), (3, 1), (4, 2), (7, 2), (8, 4), (15, 4), (16, 8), (1000, 8)]
)
def test_as_many_fills_share_a_card_as_half_of_its_free_memory_holds(
    card: dict[str, int], free: int, fitting: int
) -> None:
    card["free"], card["reserved"], card["allocated"] = free * 2**30 - 2**20, 2**21, 2**20

    assert at_once.fills_at_once(torch.device("cuda"), 2**30, 8) == fitting
    assert at_once.fills_at_once(torch.device("cpu"), 2**30, 8) == 1
