"""Filling with bidirectional models, from a folder's name to text in a hole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_absorbing import dream, dreamon, llada

from midfill.inference.engine import Engine
from midfill.inference.errors import Cancelled, InvalidText, MidfillError, OutOfMemory, UsageError
from midfill.inference.fillers.in_place import InPlaceFiller
from midfill.inference.fillers.in_place_layout import lay_out
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.wire import Draft, Extent, Final, HoleSpan, InfillRequest, Limits, Stop
from midfill.inference.wire_prompt import PromptPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.in_place.canvas import HoleCanvas

pytestmark = pytest.mark.usefixtures("one_thread")

PREFIX = "def total(values):\n    retu"
SUFFIX = "\n\n\ndef other():\n    return 1\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dream().write(tmp_path_factory.mktemp("dream"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return opened(folder)


def opened(folder: Path, options: str = "") -> Engine:
    engine = Engine(f"{folder},weights=float32{options}")
    engine.load()
    return engine


def request(**fields: object) -> InfillRequest:
    given = {"prefix": PREFIX, "suffix": SUFFIX, "limits": Limits(tokens=12)}
    return InfillRequest.model_validate(given | fields)


def filled(engine: Engine, request: InfillRequest) -> tuple[list[Draft], Final]:
    *drafts, last = engine.infill(request)
    assert isinstance(last, Final)
    return [draft for draft in drafts if isinstance(draft, Draft)], last


def test_a_hole_is_filled_and_the_figures_are_told(engine: Engine) -> None:
    drafts, final = filled(engine, request())

    assert final.model == engine.model
    assert 1 <= final.tokens <= 12
    assert len(drafts) < final.steps == len(final.step_tokens)
    assert sum(final.step_tokens) == final.tokens
    assert all(draft.masked > 0 for draft in drafts)
    assert 1 <= len(final.log_probabilities) <= final.tokens
    assert final.cache.hit_tokens == 0
    assert final.cache.new_tokens > 20
    assert "\n" not in final.text


@pytest.mark.parametrize(
    "options",
    [
        ",cache=none",
        ",cache=prefix,block=4",
        ",cache=dual,block=4",
        ",cache=open,block=4,ahead=2",
        ",length=fixed,canvas=32",
        ",length=end-of-middle",
        ",sampler=margin",
        ",sampler=entropy",
        ",sampler=entropy-bound,threshold=0.5",
        ",temperature=0.4,top-p=0.9",
        ",steps=2",
    ],
)
def test_every_option_fills(folder: Path, options: str) -> None:
    _, final = filled(opened(folder, options), request())

    assert final.stop in (Stop.FILLED, Stop.END_TOKEN, Stop.LINE_END, Stop.TOKEN_LIMIT)


def test_greedy_fills_are_the_same_every_time(engine: Engine) -> None:
    texts = {filled(engine, request())[1].text for _ in range(2)}
    engine.forget()

    assert texts == {filled(engine, request())[1].text}


def test_a_seed_draws_the_same_sample_again(engine: Engine) -> None:
    def sample(seed: int) -> str:
        return filled(engine, request(temperature=1.5, seed=seed))[1].text

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(6)}) > 1


def test_alternatives_are_distinct(engine: Engine) -> None:
    _, final = filled(engine, request(n=3))

    texts = [final.text, *final.alternatives]
    assert len(texts) > 1
    assert len({text.strip() for text in texts}) == len(texts)


def test_what_stands_behind_the_hole_matters(engine: Engine) -> None:
    def drafts(suffix: str) -> list[Draft]:
        return filled(engine, request(suffix=suffix))[0]

    assert drafts("\n") == drafts("\n")
    assert drafts("\n") != drafts("\n    # the end of it all\n")


def test_other_files_stand_in_front(engine: Engine) -> None:
    shown = engine.prompt(request(context=({"path": "a.py", "text": "SIZE = 3"},)))

    assert shown.text.startswith("SIZE = 3\n\n" + PREFIX.removesuffix("retu"))
    assert shown.text.endswith(SUFFIX)
    assert shown.owed == " retu" or "retu".endswith(shown.owed)


def test_dreamon_finds_the_length_by_itself(tmp_path: Path) -> None:
    engine = opened(dreamon().write(tmp_path))

    _, final = filled(engine, request(limits=Limits(tokens=24)))

    assert final.tokens <= 24
    assert final.steps >= 1


def test_a_deadline_gives_the_best_there_is(engine: Engine) -> None:
    drafts, final = filled(engine, request(limits=Limits(tokens=40, deadline_ms=1)))

    assert final.stop in (Stop.DEADLINE, Stop.LINE_END, Stop.FILLED)
    assert len(drafts) <= 1


def test_a_cancelled_request_stops_between_steps(engine: Engine) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(Cancelled):
        list(engine.infill(request(), cancelled))
    assert asked == 4


def test_text_without_a_utf8_form_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidText, match="lone surrogate at character 2"):
        list(engine.infill(request(prefix="x \ud800")))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (",suffix=pinned", "sees the suffix in its place"),
        (",length=expand-delete", "length=search works with every model"),
        (",threshold=2", "threshold=2"),
        (",ahead=2", "no next block without block=SLOTS"),
        (",canvas=33", "canvas=33: input should be 32, 64, 128 or 256"),
        (",steps=0", "steps=0"),
        (",colour=blue", "no model option 'colour=blue'; there are: suffix, canvas"),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_one_line(
    folder: Path, options: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refusal:
        opened(folder, options)
    assert "\n" not in str(refusal.value)


def test_a_canvas_longer_than_the_model_is_refused(tmp_path: Path) -> None:
    folder = dream().with_config(max_position_embeddings=64).write(tmp_path)

    with pytest.raises(UsageError, match="has room for 64 tokens in all, choose a smaller canvas"):
        opened(folder, ",canvas=64")


def test_a_short_model_reads_less_of_a_long_file(tmp_path: Path) -> None:
    engine = opened(dream().with_config(max_position_embeddings=128).write(tmp_path), ",canvas=32")

    _, final = filled(engine, request(prefix="x = 1\n" * 400, suffix="\ny = 2" * 400))

    assert 40 < final.cache.new_tokens <= 128 - 32


def test_running_out_of_memory_drops_caches_then_slots_then_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(folder, ",canvas=128,length=fixed")
    tried: list[int] = []
    fits = 64

    def predict(
        model: BidirectionalModel, canvas: HoleCanvas, *rest: object, **more: object
    ) -> Tensor:
        slots = len(canvas.slots)
        tried.append(slots)
        if slots > fits:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1")
        return original(model, canvas, *rest, **more)  # type: ignore[arg-type]

    original = BidirectionalModel.predict
    monkeypatch.setattr(BidirectionalModel, "predict", predict)

    _, final = filled(engine, request(limits=Limits(tokens=128)))
    assert tried[:3] == [128, 128, 64]
    assert final.tokens == 64

    fits = 0
    with pytest.raises(OutOfMemory, match="not enough memory"):
        filled(engine, request(limits=Limits(tokens=128)))
    assert min(tried) == 32


ODDITIES = ("\t", "\r\n", " ", "    ", ")", "'", "x", "é", "e\u0301", "🙂", "漢字", "return")
SNIPPETS = st.lists(st.sampled_from(ODDITIES), max_size=8).map("".join)


@settings(max_examples=30)
@given(prefix=SNIPPETS, hole=SNIPPETS, suffix=SNIPPETS, extent=st.sampled_from(Extent))
def test_whatever_comes_back_is_text_and_fits_between(
    engine: Engine, prefix: str, hole: str, suffix: str, extent: Extent
) -> None:
    span = HoleSpan(start=len(prefix), end=len(prefix) + len(hole), extent=extent)
    asked = InfillRequest(
        prefix=prefix, suffix=hole + suffix, holes=(span,), limits=Limits(tokens=4)
    )

    _, final = filled(engine, asked)

    final.text.encode()
    assert "\ufffd" not in final.text
    if extent is Extent.LINE and not suffix.strip():
        assert "\n" not in final.text.strip("\n")


def test_models_without_a_shift_fill_too(tmp_path: Path) -> None:
    _, final = filled(opened(llada().write(tmp_path)), request())

    assert final.tokens >= 1


class Script:
    """Stands in for a model's predictions: the token of each slot, and how sure of it."""

    def __init__(self, engine: Engine, say: Callable[[HoleCanvas, int], int | None]) -> None:
        filler = engine.filler
        assert isinstance(filler, InPlaceFiller)
        self.vocabulary = filler._checkpoint.tokenizer.vocabulary_bytes
        self.tokens = filler._checkpoint.tokens
        self.say = say

    def predict(
        self, canvas: HoleCanvas, block: range, caching: object, *, refresh: bool
    ) -> Tensor:
        masked = [index for index in canvas.masked_slots if index in block]
        logits = torch.zeros(len(masked), 320)
        for row, index in enumerate(masked):
            token = self.say(canvas, index)
            if token is None:
                logits[row] = torch.nan
            else:
                logits[row, token] = 5.0 - 0.1 * index
        return logits


def scripted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, text: str, **specials: int
) -> Callable[..., tuple[list[Draft], Final]]:
    """Fills with what a script says; ``specials`` names a control token for some slots."""
    script = Script(engine, lambda canvas, index: 0)
    spelled = {bytes([byte]): token for token, t in enumerate(script.vocabulary) for byte in t[:1]}
    spelled |= {t: token for token, t in enumerate(script.vocabulary) if len(t) == 1}
    controls = {slot: getattr(script.tokens, name) for name, slot in specials.items()}
    script.say = lambda canvas, index: controls.get(
        index, spelled[text[index : index + 1].encode()]
    )
    monkeypatch.setattr(
        BidirectionalModel, "predict", lambda _, *given, **how: script.predict(*given, **how)
    )
    return lambda **fields: filled(engine, request(prefix="x = 1\n", **fields))


def test_drafts_and_deadlines_never_close_up_over_what_is_not_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(dreamon().write(tmp_path), ",threshold=1")
    fill = scripted(engine, monkeypatch, "abcdefgh", expand=3)

    drafts, final = fill(limits=Limits(tokens=16, deadline_ms=1), suffix="\n")

    assert final.stop is Stop.DEADLINE
    assert "abc".startswith(final.text)
    assert all("abc".startswith(draft.text + draft.guess) for draft in drafts)


def test_what_stands_behind_an_end_token_is_never_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(folder, ",length=end-of-middle,threshold=1")
    fill = scripted(engine, monkeypatch, "abcdefgh", end=3)

    drafts, final = fill(limits=Limits(tokens=8), suffix="\n")

    assert final.text == "abc"
    assert final.stop is Stop.END_TOKEN
    assert all("abc".startswith(draft.text + draft.guess) for draft in drafts)


def test_a_deadline_before_the_last_block_keeps_the_first_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(folder, ",length=fixed,block=4,threshold=1")
    fill = scripted(engine, monkeypatch, "ab(d" * 4)

    drafts, final = fill(limits=Limits(tokens=16, deadline_ms=1), suffix="foo\n")

    assert final.stop is Stop.DEADLINE
    assert all(draft.guess for draft in drafts)
    assert engine.prompt(request(suffix="foo\n")).owed_behind


def test_carriage_returns_are_never_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(folder, ",length=fixed")
    fill = scripted(engine, monkeypatch, "ab\rcd")

    _, final = fill(limits=Limits(tokens=5), suffix="\n")

    assert "\r" not in final.text


def test_a_model_that_computes_no_numbers_is_an_error_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(folder, ",length=fixed")
    script = Script(engine, lambda canvas, index: None)
    monkeypatch.setattr(
        BidirectionalModel, "predict", lambda _, *given, **how: script.predict(*given, **how)
    )

    for temperature in (0.0, 0.8):
        with pytest.raises(MidfillError, match=r"no numbers \(NaN\).*weights=float32$"):
            filled(engine, request(temperature=temperature))


def test_dreamon_reads_the_end_of_the_file_and_others_do_not(folder: Path, tmp_path: Path) -> None:
    def behind(engine: Engine, suffix: str) -> tuple[int, ...]:
        filler = engine.filler
        assert isinstance(filler, InPlaceFiller)
        asked = request(suffix=suffix)
        return lay_out(asked, filler._checkpoint, filler._options).suffix

    taught = opened(dreamon().write(tmp_path))
    filler = taught.filler
    assert isinstance(filler, InPlaceFiller)
    end = filler._checkpoint.tokens.end

    assert behind(taught, "")[-1:] == (end,)
    assert behind(taught, "\ny = 1\n")[-1] == end
    assert end not in behind(taught, "\ny = 1" * 4000)
    assert behind(opened(folder), "") == ()


def test_the_search_for_a_length_minds_the_deadline_and_is_made_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    surety = BidirectionalModel.surety

    def noted(
        model: BidirectionalModel,
        prefix: Sequence[int],
        lengths: Sequence[int],
        suffix: Sequence[int],
    ) -> list[float]:
        asked.extend(lengths)
        return surety(model, prefix, lengths, suffix)

    monkeypatch.setattr(BidirectionalModel, "surety", noted)
    filled(engine, request(n=4, limits=Limits(tokens=40)))
    assert len(asked) == len(set(asked)) > 0

    asked.clear()
    clock = iter(range(10**6))
    monkeypatch.setattr(
        "midfill.inference.fillers.in_place_hole.monotonic", lambda: 1e9 + next(clock)
    )
    filled(engine, request(limits=Limits(tokens=40, deadline_ms=1)))
    assert asked == []


def test_other_weights_cannot_be_had_without_loading_them(engine: Engine) -> None:
    with (
        pytest.raises(UsageError, match="has to be loaded anew"),
        engine.filling_with(engine.reference.options.model_copy(update={"weights": "int8"})),
    ):
        raise AssertionError("it is in memory with other weights")


def test_context_takes_no_more_than_its_share(engine: Engine) -> None:
    big = {"path": "a.py", "text": "x = 1\n" * 100_000}

    shown = engine.prompt(request(context=(big,)))

    assert shown.tokens(PromptPart.CONTEXT) <= 1025
