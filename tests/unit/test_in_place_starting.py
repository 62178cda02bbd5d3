"""Canvases that start from what is believed, on a model whose every prediction is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_absorbing import dream, dreamon, llada

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.engine import Engine
from midfill.inference.fillers.in_place import InPlaceFiller
from midfill.inference.in_place.canvas import Accepted, HoleCanvas
from midfill.inference.in_place.choosing_slots import SlotChooser
from midfill.inference.in_place.edges import Edges
from midfill.inference.in_place.lengths.end_of_middle import EndOfMiddle
from midfill.inference.in_place.lengths.expand_delete import ExpandDelete
from midfill.inference.in_place.lengths.fixed import FixedLength
from midfill.inference.in_place.starting import LEAST_KEPT, keep_what_holds
from midfill.inference.in_place.unmasking import Rules
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.options import Caching
from midfill.inference.models.token_ends import TokenEnds
from midfill.inference.samplers.confidence_threshold import ConfidenceThreshold
from midfill.inference.wire import Final, InfillRequest, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.in_place.lengths.control import LengthControl

pytestmark = pytest.mark.usefixtures("one_thread")

VOCABULARY = [b"", b"a", b"b", b"c", b"d", b"e", b"f", b"", b""]
END, EXPAND = 7, 8
PREFIX, SUFFIX = (1, 2), (3,)


class Rigged:
    """Says of each masked slot what a script says, and notes what it was shown."""

    longest = 64

    def __init__(self, script: Callable[[int], dict[int, float]]) -> None:
        self.script = script
        self.shown: list[list[list[int]]] = []

    def predict_each(self, canvases: Sequence[HoleCanvas]) -> list[Tensor]:
        self.shown.append([canvas.tokens(-1) for canvas in canvases])
        return [self._logits(canvas.masked_slots) for canvas in canvases]

    def _logits(self, masked: Sequence[int]) -> Tensor:
        logits = torch.full((len(masked), len(VOCABULARY)), -8.0)
        for row, index in enumerate(masked):
            for token, value in self.script(index).items():
                logits[row, token] = value
        return logits


def rules(length: LengthControl | None = None, *, most: int = 16) -> Rules:
    return Rules(
        sampler=ConfidenceThreshold(0.9),
        chooser=SlotChooser(0.0, 1.0, 0),
        length=length or FixedLength(),
        banned=torch.tensor([0]),
        edges=Edges(),
        ends=TokenEnds(VOCABULARY),
        caching=Caching.DUAL,
        block=None,
        steps=99,
        most=most,
    )


def started(
    model: Rigged, believed: Sequence[int | None], wanted: Rules | None = None
) -> list[int | None] | None:
    canvas = keep_what_holds(model, PREFIX, believed, SUFFIX, wanted or rules())  # type: ignore[arg-type]
    if canvas is None:
        return None
    return [None if slot is None else slot.token for slot in canvas.slots]


def test_a_belief_that_holds_settles_the_canvas_in_one_pass() -> None:
    model = Rigged(lambda index: {1 + index: 9.0})

    assert started(model, [1, 2, 3, 4]) == [1, 2, 3, 4]
    assert model.shown == [[[1, 2, -1, 2, -1, 4, 3], [1, 2, 1, -1, 3, -1, 3]]]


def test_what_the_model_would_not_write_is_masked_again_with_its_neighbours() -> None:
    model = Rigged(lambda index: {6 if index == 4 else 1: 9.0})

    assert started(model, [1] * 8) == [1, 1, 1, None, None, None, 1, 1]


def test_what_the_sampler_would_not_accept_is_masked_again() -> None:
    model = Rigged(lambda index: {1: -7.0 if index == 5 else 9.0})

    assert started(model, [1] * 6) == [1, 1, 1, 1, None, None]


def test_a_belief_that_mostly_fails_is_dropped() -> None:
    model = Rigged(lambda index: {1 if index < 3 else 2: 9.0})

    assert started(model, [1] * 6) is None
    assert started(model, [1] * 4) == [1, 1, None, None]


def test_a_slot_that_should_be_two_is_no_agreement() -> None:
    model = Rigged(lambda index: {EXPAND: 9.5, 1: 9.0} if index == 7 else {1: 9.0})
    length = ExpandDelete(EXPAND, END)
    slots = length.begin_with([1] * 8, 1, 16)

    assert slots is not None
    assert started(model, slots, rules(length)) == [1] * 6 + [None, None]


def test_a_middle_that_is_padded_is_believed_with_its_padding() -> None:
    length = EndOfMiddle(END)
    slots = length.begin_with([1, 2], 1, 5)
    assert slots == [1, 2, END, END, END]

    model = Rigged(lambda index: {[1, 2, END, END, 3][index]: 9.0})
    # Behind an end that holds, the rest is spent whatever the model says there.
    assert started(model, slots, rules(length)) == [1, 2, END, END, END]


def test_slots_that_nothing_is_believed_of_stay_masked() -> None:
    model = Rigged(lambda index: {1: 9.0})

    assert FixedLength().begin_with([1, 1], 1, 4) == [1, 1, None, None]
    assert started(model, [1, 1, None, None]) == [1, 1, None, None]


def test_a_middle_that_does_not_fit_is_not_believed() -> None:
    for control in (FixedLength(), EndOfMiddle(END), ExpandDelete(EXPAND, END)):
        assert control.begin_with([1] * 5, 1, 4) is None


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.booleans()), min_size=1, max_size=9)
)
def test_whatever_is_believed_only_the_models_own_sure_choices_are_kept(
    slots: list[tuple[int, int, bool]],
) -> None:
    model = Rigged(lambda index: {slots[index][1]: 9.0 if slots[index][2] else -7.0})

    kept = started(model, [believed for believed, _, _ in slots])

    if kept is not None:
        for token, (_, wanted, _) in zip(kept, slots, strict=True):
            assert token in (None, wanted)
        assert sum(token is not None for token in kept) >= LEAST_KEPT * len(slots)


@pytest.mark.parametrize("kind", [dream, llada])
def test_several_canvases_are_predicted_as_each_of_them_alone(
    tmp_path: Path, kind: Callable[..., object]
) -> None:
    folder = kind().write(tmp_path)  # type: ignore[attr-defined]
    device = torch.device("cpu")
    checkpoint = read_checkpoint(folder, dtype=torch.float32, device=device)
    model = BidirectionalModel(
        checkpoint.backbone,
        mask=checkpoint.tokens.mask,
        shift=checkpoint.shift,
        longest=checkpoint.longest,
        steps=CapturedSteps(device),
    )
    full = HoleCanvas.masked((65, 66), 4, (67,))
    canvases = [full.accept({}), full.accept({1: Accepted(70, 0.0), 2: Accepted(71, 0.0)})]

    together = model.predict_each(canvases)

    for canvas, logits in zip(canvases, together, strict=True):
        alone = model.predict(canvas, range(4), Caching.NONE, refresh=True)
        torch.testing.assert_close(logits, alone, atol=1e-5, rtol=1e-5)


class Author:
    """Stands in for a model that knows a whole document, and writes what it has at each place."""

    def __init__(self, engine: Engine, document: str, *, sure: float = 9.0) -> None:
        filler = engine.filler
        assert isinstance(filler, InPlaceFiller)
        self.bytes = filler._checkpoint.tokenizer.vocabulary_bytes
        self.token = {text: token for token, text in enumerate(self.bytes) if len(text) == 1}
        self.document = document.encode()
        self.sure = sure
        self.searched = 0

    def predict(
        self, canvas: HoleCanvas, block: range, caching: object, *, refresh: bool
    ) -> Tensor:
        return self._logits(canvas, [index for index in canvas.masked_slots if index in block])

    def predict_each(self, canvases: Sequence[HoleCanvas]) -> list[Tensor]:
        return [self._logits(canvas, canvas.masked_slots) for canvas in canvases]

    def surety(
        self, prefix: Sequence[int], lengths: Sequence[int], suffix: Sequence[int]
    ) -> list[float]:
        self.searched += 1
        rest = self.document[len(self._text(prefix)) :].partition(b"\n")[0]
        return [float(length == len(rest)) for length in lengths]

    def _logits(self, canvas: HoleCanvas, masked: Sequence[int]) -> Tensor:
        before = len(self._text(canvas.prefix))
        logits = torch.zeros(len(masked), 320)
        for row, index in enumerate(masked):
            at = before + index
            logits[row, self.token[self.document[at : at + 1] or b"\n"]] = self.sure - 0.01 * index
        return logits

    def _text(self, tokens: Sequence[int]) -> bytes:
        return b"".join(self.bytes[token] for token in tokens)


DOCUMENT = "x = 1\nfor u of b:\n"


def writing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: str, document: str = DOCUMENT
) -> tuple[Engine, Author]:
    engine = Engine(f"{folder},weights=float32{options}")
    engine.load()
    author = Author(engine, document)
    filler = engine.filler
    assert isinstance(filler, InPlaceFiller)
    for name in ("predict", "predict_each", "surety"):
        monkeypatch.setattr(filler._model, name, getattr(author, name))
    return engine, author


def filled(engine: Engine, prefix: str, **fields: object) -> Final:
    asked = {"prefix": prefix, "suffix": "\n", "limits": Limits(tokens=12)} | fields
    *_, final = engine.infill(InfillRequest.model_validate(asked))
    assert isinstance(final, Final)
    return final


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dream().write(tmp_path_factory.mktemp("dream"))


def test_typing_through_a_suggestion_takes_one_pass_and_no_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, author = writing(folder, monkeypatch, ",start=believed")
    first = filled(engine, "x = 1\n")
    assert first.text == "for u of b:"
    assert first.steps > 1

    searched = author.searched
    for typed in (1, 4, 8):
        again = filled(engine, "x = 1\n" + first.text[:typed])
        assert first.text[:typed] + again.text == first.text
        assert again.steps == 1
        assert again.step_tokens == (again.tokens,)
        assert again.log_probabilities
    assert author.searched == searched


def test_a_belief_that_the_model_no_longer_shares_makes_no_difference(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, author = writing(folder, monkeypatch, ",start=believed")
    filled(engine, "x = 1\n")
    author.document = b"x = 1\nfox = [1, 2]\n"

    changed = filled(engine, "x = 1\nfo")

    assert changed.text == "x = [1, 2]"
    assert changed.steps > 1


@pytest.mark.parametrize("where", ["prefix", "context"])
def test_what_follows_the_same_text_elsewhere_is_believed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    seen = "    self.name = name\n    self.size = 0\n"
    typed = "    self.name ="
    before = seen if where == "prefix" else ""
    context = ({"path": "a.py", "text": seen},) if where == "context" else ()
    read = f"{seen}\n\n" if where == "context" else before
    engine, author = writing(folder, monkeypatch, ",start=believed", read + typed + " name\n")

    final = filled(engine, before + typed, context=context)

    assert final.text == " name"
    assert final.steps == 1
    assert author.searched == 0


def test_a_canvas_starts_from_masks_unless_it_is_told_otherwise(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, author = writing(folder, monkeypatch, "")
    first = filled(engine, "x = 1\n")
    searched = author.searched

    assert filled(engine, "x = 1\nfor").text == first.text[3:]
    assert author.searched > searched


def test_what_was_written_is_forgotten_with_everything_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, author = writing(folder, monkeypatch, ",start=believed")
    filled(engine, "x = 1\n")
    searched = author.searched
    engine.forget()

    filled(engine, "x = 1\nfor")
    assert author.searched > searched


def test_a_model_that_grows_its_canvas_starts_from_a_belief_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = writing(dreamon().write(tmp_path), monkeypatch, ",start=believed")
    engine.filler._fills.note("x = 1\n", "for u of b:")  # type: ignore[attr-defined]

    final = filled(engine, "x = 1\nfor")

    assert final.text == " u of b:"
    assert final.steps == 1
