"""Filling holes with a tiny DiffusionGemma, in all three ways."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_diffusion_gemma import VOCABULARY, tiny_filler
from torch import nn

from midfill.inference.errors import Cancelled, InvalidText
from midfill.inference.fillers import answered_prompt, diffusion_gemma, pinned_canvas
from midfill.inference.fillers.diffusion_gemma import DiffusionGemmaFiller
from midfill.inference.fillers.filler import Run
from midfill.inference.models.diffusion_gemma.context import (
    ContextStore,
    EncodedContext,
    room_for,
)
from midfill.inference.models.diffusion_gemma.loading import LoadedNetwork
from midfill.inference.models.diffusion_gemma.model import (
    ENCODE_CHUNK,
    CanvasBehind,
    DiffusionGemma,
)
from midfill.inference.models.options import Length, Options, Start, SuffixView, Weights
from midfill.inference.stopwatch import Stopwatch
from midfill.inference.uniform.length_search import DRAWS
from midfill.inference.wire import (
    ContextFile,
    Draft,
    Extent,
    Final,
    HoleSpan,
    InfillRequest,
    Limits,
    Stop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from midfill.inference.uniform.canvas import UniformCanvas

CPU = torch.device("cpu")
PREFIX = "import value\n\ndef total(self):\n    return "
SUFFIX = "\n\ndef value(self):\n    return 1\n"
VIEWS = list(SuffixView)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models as small as these are slower with more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> DiffusionGemmaFiller:
    return tiny_filler(tmp_path_factory.mktemp("model"))


@pytest.fixture
def fillers(opened: DiffusionGemmaFiller) -> Callable[..., DiffusionGemmaFiller]:
    def filler(view: SuffixView, **options: object) -> DiffusionGemmaFiller:
        fields = {
            "canvas": 32,
            "steps": 4,
            "suffix": view,
            "weights": Weights.FLOAT32,
            **options,
        }
        return opened.with_options(Options.model_validate(fields))

    return filler


def a_run(deadline: float = inf, cancelled: Callable[[], bool] = lambda: False) -> Run:
    return Run(deadline, Stopwatch(monotonic()), cancelled)


def request(prefix: str = PREFIX, suffix: str = SUFFIX, **fields: object) -> InfillRequest:
    return InfillRequest.model_validate({"prefix": prefix, "suffix": suffix, **fields})


def hole(extent: Extent, prefix: str = PREFIX) -> list[HoleSpan]:
    return [HoleSpan(start=len(prefix), end=len(prefix), extent=extent)]


def filled(
    filler: DiffusionGemmaFiller, asked: InfillRequest, run: Run | None = None
) -> tuple[list[Draft], Final]:
    *drafts, final = filler.fill(asked, run or a_run())
    assert isinstance(final, Final)
    assert all(isinstance(draft, Draft) for draft in drafts)
    return [draft for draft in drafts if isinstance(draft, Draft)], final


class Script(nn.Module):
    """A head that is sure of what stands in a script, slot by slot.

    Attributes:
        written: where in the script the canvas begins.
        known: tokens of the script that it is sure of; behind them it knows nothing.
    """

    def __init__(self, tokens: Sequence[int], filler: int) -> None:
        super().__init__()
        self.tokens = list(tokens)
        self.filler = filler
        self.written = 0
        self.known = 1000

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        slots = range(self.written, self.written + len(states))
        wanted = [self.tokens[i] if i < len(self.tokens) else self.filler for i in slots]
        logits = torch.zeros(len(states), VOCABULARY)
        sure = [1000.0 if i < self.known else 0.0 for i in slots]
        logits[torch.arange(len(states)), wanted] = torch.tensor(sure)
        return logits


class Scripted(DiffusionGemma):
    """DiffusionGemma's context and canvas, but the head reads from a script."""

    def __init__(self, model: DiffusionGemma, script: Script, prompt: int) -> None:
        super().__init__(model.network)
        self._script = script
        self._prompt = prompt

    def encode(
        self, tokens: Sequence[int], context: EncodedContext, go_on: Callable[[], None] = print
    ) -> None:
        super().encode(tokens, context, go_on)
        self._script.written = max(0, len(context) - self._prompt)

    def head(self, states: torch.Tensor) -> torch.Tensor:
        capped: torch.Tensor = torch.tanh(self._script(states) / 30) * 30
        return capped


@pytest.fixture
def scripted(
    fillers: Callable[..., DiffusionGemmaFiller],
) -> Callable[..., DiffusionGemmaFiller]:
    """Fillers that write what they are told; ``<turn|>`` may stand in it.

    A word in which the hole begins is put in front.
    """

    def filler(
        view: SuffixView, script: str, asked: InfillRequest, **options: object
    ) -> DiffusionGemmaFiller:
        plain = fillers(view, **options)
        tokenizer, markers = plain._tokenizer, plain._markers
        laid_out = plain._lay_out(asked)
        ids: list[int] = []
        script = laid_out.edges.left.decode() + script
        for number, piece in enumerate(script.split("<turn|>")):
            ids += [markers.turn_end] if number else []
            ids += tokenizer.encode(piece)
        script_head = Script(ids, markers.pad)
        model = Scripted(plain._model, script_head, len(laid_out.prompt.tokens))
        return DiffusionGemmaFiller(
            LoadedNetwork(model, plain._loaded.published),
            tokenizer,
            markers,
            plain._options,
            "scripted",
        )

    return filler


@pytest.mark.parametrize("view", VIEWS)
def test_a_hole_is_filled_with_a_draft_after_each_step(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    filler = fillers(view)
    drafts, final = filled(filler, request())
    assert 1 <= len(drafts) <= 4 or view is SuffixView.PROMPT
    assert [draft.step for draft in drafts] == sorted({draft.step for draft in drafts})
    assert final.steps >= drafts[-1].step
    assert "\n" not in final.text
    assert final.model == "tiny"
    assert final.cache.hit_tokens == 0
    assert final.cache.new_tokens == filler.prompt(request()).tokens() - pinned(filler, request())
    assert len(final.log_probabilities) <= final.tokens + 1
    assert all(value <= 0 for value in final.log_probabilities)


def pinned(filler: DiffusionGemmaFiller, asked: InfillRequest) -> int:
    return len(filler._lay_out(asked).prompt.pinned)


@pytest.mark.parametrize("view", VIEWS)
def test_the_same_seed_fills_the_same_whatever_is_cached(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    filler = fillers(view)
    first = filled(filler, request(seed=5))[1]
    again = filled(filler, request(seed=5))[1]
    assert again.text == first.text
    assert again.log_probabilities == pytest.approx(first.log_probabilities, abs=1e-4)
    assert again.cache.hit_tokens == first.cache.new_tokens
    assert again.cache.new_tokens == 0
    filler.forget()
    assert filled(filler, request(seed=5))[1].cache.hit_tokens == 0


def test_seeds_and_temperatures_matter(fillers: Callable[..., DiffusionGemmaFiller]) -> None:
    filler = fillers(SuffixView.PINNED, length=Length.FIXED)
    texts = {filled(filler, request(seed=seed))[0][0].guess for seed in range(4)}
    assert len(texts) > 1
    warm = [filled(filler, request(temperature=t))[1].log_probabilities for t in (0.0, 2.0)]
    assert warm[0] != warm[1]


@pytest.mark.parametrize("view", VIEWS)
def test_typing_encodes_little_more_than_what_was_typed(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    filler, typed, hits = fillers(view), "value + ", []
    for end in range(len(typed) + 1):
        cache = filled(filler, request(PREFIX + typed[:end]))[1].cache
        hits.append(cache.hit_tokens)
        if end:
            assert cache.new_tokens <= (45 if view is SuffixView.PROMPT else 3)
    assert hits[0] == 0
    assert hits[-1] > hits[1] > 50


def test_several_alternatives_are_distinct(fillers: Callable[..., DiffusionGemmaFiller]) -> None:
    final = filled(fillers(SuffixView.PINNED, length=Length.FIXED), request(n=4))[1]
    shown = [final.text.strip(), *(text.strip() for text in final.alternatives)]
    assert 1 < len(shown) <= 4
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("patience", [0, 1, 2, 3])
def test_a_cancelled_fill_ends_at_once_and_keeps_what_is_encoded(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView, patience: int
) -> None:
    filler, asked = fillers(view), []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > patience

    drafts: list[Draft | Final] = []
    with pytest.raises(Cancelled):
        drafts.extend(filler.fill(request(), a_run(cancelled=cancelled)))
    assert len(drafts) <= patience
    assert len(asked) == patience + 1
    final = filled(filler, request())[1]
    assert (final.cache.hit_tokens > 0) == (patience > 0)


@pytest.mark.parametrize("view", VIEWS)
def test_at_the_deadline_the_state_so_far_is_sent(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    drafts, final = filled(fillers(view), request(n=3), a_run(deadline=0.0))
    assert len(drafts) == 1
    assert final.stop in (Stop.DEADLINE, Stop.LINE_END, Stop.SUFFIX)
    assert final.alternatives == ()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Draft], Final]]:
    """Fills of which the deadline passes when so many drafts have been sent."""

    def fill(
        filler: DiffusionGemmaFiller, asked: InfillRequest, drafts: int
    ) -> tuple[list[Draft], Final]:
        sent: list[Draft | Final] = []
        for module in (answered_prompt, diffusion_gemma, pinned_canvas):
            monkeypatch.setattr(module, "monotonic", lambda: float(len(sent) >= drafts))
        for event in filler.fill(asked, a_run(deadline=1.0)):
            sent.append(event)
            if len(sent) == drafts:
                assert isinstance(event, Draft)
        final = sent.pop()
        assert isinstance(final, Final)
        return [draft for draft in sent if isinstance(draft, Draft)], final

    return fill


LONG = "value = total + 1\n    " * 4
"""Of more tokens than a canvas of 32 slots."""


@pytest.mark.parametrize("drafts", [2, 3])
@pytest.mark.parametrize("behind", ["return value", "<turn|>", "<middle>"])
def test_canvases_that_were_finished_before_the_deadline_are_handed_back(
    fillers: Callable[..., DiffusionGemmaFiller],
    scripted: Callable[..., DiffusionGemmaFiller],
    hurried: Callable[..., tuple[list[Draft], Final]],
    drafts: int,
    behind: str,
) -> None:
    """The first canvas takes two steps; behind it the deadline passes, or one step later."""
    tokenizer = fillers(SuffixView.PROMPT)._tokenizer
    first = tokenizer.decode(tokenizer.encode(LONG)[:32])
    asked = request(holes=hole(Extent.LINES), limits=Limits(tokens=512))
    filler = scripted(SuffixView.PROMPT, first + behind, asked)

    sent, final = hurried(filler, asked, drafts)

    assert final.text == first[: first.rindex("\n")]
    assert final.stop is Stop.DEADLINE
    assert len(sent) == final.steps == drafts


def test_of_a_canvas_that_the_deadline_cuts_short_what_has_settled_is_handed_back(
    scripted: Callable[..., DiffusionGemmaFiller],
    hurried: Callable[..., tuple[list[Draft], Final]],
) -> None:
    asked = request(holes=hole(Extent.LINES))
    filler = scripted(SuffixView.PROMPT, "value\n", asked)
    model = filler._model
    assert isinstance(model, Scripted)
    # Where nothing is known, the most probable token is the first one, which ends answers.
    model._script.known = len(filler._tokenizer.encode("value\n"))

    assert hurried(filler, asked, 1)[1].text == ""
    sent, final = hurried(filler, asked, 2)

    assert (final.text, final.stop) == ("value", Stop.DEADLINE)
    assert len(sent) == 2


@pytest.mark.parametrize("view", [SuffixView.PINNED, SuffixView.BOTH])
def test_guesses_of_a_pinned_canvas_are_not_handed_back_at_the_deadline(
    scripted: Callable[..., DiffusionGemmaFiller],
    hurried: Callable[..., tuple[list[Draft], Final]],
    view: SuffixView,
) -> None:
    asked = request()
    filler = scripted(view, "value + 1", asked, length=Length.FIXED)
    model = filler._model
    assert isinstance(model, Scripted)
    model._script.known = len(filler._tokenizer.encode("value + 1"))

    (draft,), final = hurried(filler, asked, 1)

    assert draft.text == ""
    assert draft.guess.startswith("value + ")
    assert (final.text, final.tokens, final.confidence) == ("", 0, 0.0)
    assert final.stop is Stop.DEADLINE
    assert final.log_probabilities == ()


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each pass of a search for a length."""
    rows: list[int] = []
    usual = CanvasBehind.predict_in_parts

    def noted(model: CanvasBehind, canvas: UniformCanvas, *rest: object) -> Iterator[torch.Tensor]:
        rows.append(canvas.rows)
        return usual(model, canvas, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CanvasBehind, "predict_in_parts", noted)
    return rows


def test_a_length_is_searched_once_for_all_attempts(
    fillers: Callable[..., DiffusionGemmaFiller],
    searched: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[int] = []
    usual = pinned_canvas.denoise
    monkeypatch.setattr(
        pinned_canvas, "denoise", lambda *given: begun.append(given[1].width) or usual(*given)
    )
    filler, asked = fillers(SuffixView.PINNED), request(suffix="value = 1\n" * 9)
    filled(filler, asked)
    alone = len(searched)
    filled(filler, asked.model_copy(update={"n": 4}))
    assert len(begun) > 4
    assert len(set(begun)) == 1
    assert len(searched) == 2 * alone > 0


def test_a_search_stops_when_it_is_cancelled(
    fillers: Callable[..., DiffusionGemmaFiller], searched: list[int]
) -> None:
    with pytest.raises(Cancelled):
        filled(fillers(SuffixView.PINNED), request(), a_run(cancelled=lambda: len(searched) == 1))
    assert len(searched) == 1 < DRAWS


def test_there_is_no_search_behind_the_deadline(
    fillers: Callable[..., DiffusionGemmaFiller], searched: list[int]
) -> None:
    final = filled(fillers(SuffixView.PINNED), request(), a_run(deadline=0.0))[1]
    assert final.stop is Stop.DEADLINE
    assert searched == []


def test_a_context_larger_than_the_store_is_found_again(
    fillers: Callable[..., DiffusionGemmaFiller],
) -> None:
    filler = fillers(SuffixView.PINNED)
    filler.contexts = ContextStore(1)
    filled(filler, request())
    cache = filled(filler, request(PREFIX + "value + "))[1].cache
    assert cache.hit_tokens > cache.new_tokens


def test_a_context_has_room_for_its_prompt_at_once(
    fillers: Callable[..., DiffusionGemmaFiller], monkeypatch: pytest.MonkeyPatch
) -> None:
    filler, asked = fillers(SuffixView.PINNED), request("value = 1\n" * 150)
    tokens = filler._lay_out(asked).prompt.tokens
    assert ENCODE_CHUNK < len(tokens) <= 2 * ENCODE_CHUNK
    sizes: list[int] = []
    usual = EncodedContext.extend

    def noted(context: EncodedContext, *given: object) -> None:
        usual(context, *given)  # type: ignore[arg-type]
        sizes.append(context.nbytes // context.token_bytes)

    monkeypatch.setattr(EncodedContext, "extend", noted)
    filled(filler, asked)
    assert sizes == [room_for(len(tokens))] * 2


@pytest.mark.parametrize("view", VIEWS)
def test_an_abandoned_fill_gives_its_context_back(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    filler = fillers(view)
    events = filler.fill(request(), a_run())
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert len(filler.contexts) == 1


@pytest.mark.parametrize("view", [SuffixView.PINNED, SuffixView.BOTH])
def test_the_model_goes_on_with_the_word_that_the_hole_begins_in(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    filler = fillers(view, length=Length.FIXED)
    asked = request(PREFIX + "self + impor")
    assert filler.prompt(asked).owed.strip() == "impor"
    drafts, _ = filled(filler, asked)
    laid_out = filler._lay_out(asked)
    for token in filler._ends.beginning_with(laid_out.edges.left).tolist():
        assert filler._tokenizer.token_bytes(token).startswith(laid_out.edges.left)
    assert drafts[-1].text + drafts[-1].guess != ""


@pytest.mark.parametrize("view", [SuffixView.PINNED, SuffixView.BOTH])
def test_nothing_but_text_is_written_into_a_canvas_that_ends_with_the_suffix(
    scripted: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    asked = request()
    filler = scripted(view, "value<turn|> + 1", asked, length=Length.FIXED)
    drafts, final = filled(filler, asked)
    assert final.text.startswith("value")
    assert "turn" not in drafts[-1].text + drafts[-1].guess
    # The script's marker is banned, so that slot is as good as any other token.
    assert final.tokens == 32 - pinned(filler, asked)


@pytest.mark.parametrize("view", [SuffixView.PINNED, SuffixView.BOTH])
def test_a_repetition_of_the_suffix_is_cut_off(
    scripted: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    prefix, suffix = "def total(", "):\n"
    asked = request(prefix, suffix, holes=hole(Extent.LINE, prefix))
    filler = scripted(view, "self):\nreturn", asked, length=Length.FIXED)
    final = filled(filler, asked)[1]
    assert final.text == "self"
    assert final.stop is Stop.REST_OF_LINE
    used = len(filler._tokenizer.encode("(self"))
    assert len(final.log_probabilities) == used + 1
    assert final.confidence > 0.99


def test_an_answer_is_taken_from_between_its_tags(
    scripted: Callable[..., DiffusionGemmaFiller],
) -> None:
    asked = request(holes=hole(Extent.LINES))
    filler = scripted(SuffixView.PROMPT, "value</middle><turn|>", asked)
    drafts, final = filled(filler, asked)
    assert final.text == "value"
    assert final.stop is Stop.END_TOKEN
    assert final.tokens == len(filler._tokenizer.encode("value"))
    assert (drafts[-1].text, drafts[-1].guess, drafts[-1].masked) == ("value", "", 0)
    assert len(drafts) == 2  # stable and sure


@pytest.mark.parametrize(
    "script",
    [
        "value<turn|>",
        "value</middle>, I think<turn|>",
        "<middle>value</middle><turn|>",
        "```python\nvalue\n```</middle><turn|>",
    ],
)
def test_an_answer_of_another_form_is_refused(
    scripted: Callable[..., DiffusionGemmaFiller], script: str
) -> None:
    asked = request(holes=hole(Extent.LINES), n=2)
    final = filled(scripted(SuffixView.PROMPT, script, asked), asked)[1]
    assert (final.text, final.stop, final.confidence) == ("", Stop.REFUSED, 0.0)
    assert final.alternatives == ()


def test_inside_a_code_fence_an_answer_may_begin_with_one(
    scripted: Callable[..., DiffusionGemmaFiller],
) -> None:
    prefix = "```python\nvalue = 1\n"
    asked = request(prefix, "\n", holes=hole(Extent.LINE, prefix))
    final = filled(scripted(SuffixView.PROMPT, "```</middle><turn|>", asked), asked)[1]
    assert (final.text, final.stop) == ("```", Stop.END_TOKEN)


def test_a_line_is_cut_at_its_end(scripted: Callable[..., DiffusionGemmaFiller]) -> None:
    asked = request()
    script = "value + 1\nreturn total\n</middle><turn|>"
    final = filled(scripted(SuffixView.PROMPT, script, asked), asked)[1]
    assert (final.text, final.stop) == ("value + 1", Stop.LINE_END)


def test_a_line_that_ends_needs_no_second_canvas(
    scripted: Callable[..., DiffusionGemmaFiller],
) -> None:
    asked = request()
    filler = scripted(SuffixView.PROMPT, "value\n" * 40, asked)
    drafts, final = filled(filler, asked)
    assert final.text == "value"
    assert len(drafts) == 2


def test_a_long_answer_goes_on_in_the_next_canvas(
    scripted: Callable[..., DiffusionGemmaFiller],
) -> None:
    middle = "value = total + 1\n    " * 4 + "return value"
    asked = request(holes=hole(Extent.LINES), limits=Limits(tokens=512))
    filler = scripted(SuffixView.PROMPT, middle + "</middle><turn|>", asked)
    assert len(filler._tokenizer.encode(middle)) > 32
    drafts, final = filled(filler, asked)
    assert final.text == middle
    assert final.stop is Stop.END_TOKEN
    assert len(drafts) == final.steps > 2
    again = filled(filler, asked)[1]
    assert again.cache.new_tokens == 0


def test_an_answer_without_an_end_stops_at_the_limit(
    scripted: Callable[..., DiffusionGemmaFiller],
) -> None:
    asked = request(holes=hole(Extent.LINES), limits=Limits(tokens=40))
    filler = scripted(SuffixView.PROMPT, "value = total\n    " * 99, asked)
    final = filled(filler, asked)[1]
    assert final.stop is Stop.TOKEN_LIMIT
    assert final.tokens == 40
    assert final.text.startswith("value = total\n    value")
    assert final.text.endswith("value = total")


@pytest.mark.parametrize("view", [SuffixView.PINNED, SuffixView.BOTH])
def test_a_canvas_is_no_longer_than_the_limit(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    filler = fillers(view, length=Length.FIXED)
    assert filled(filler, request(limits=Limits(tokens=3)))[1].tokens == 3


def test_the_searched_length_is_at_most_what_the_canvas_has_room_for(
    fillers: Callable[..., DiffusionGemmaFiller],
) -> None:
    filler = fillers(SuffixView.PINNED)
    final = filled(filler, request(suffix="value = 1\n" * 30))[1]
    assert 1 <= final.tokens <= 16


@pytest.mark.parametrize("view", VIEWS)
def test_line_breaks_are_the_document_s_and_other_files_are_read(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    filler = fillers(view)
    windows = request(PREFIX.replace("\n", "\r\n"), SUFFIX.replace("\n", "\r\n"))
    assert filler.prompt(windows).text == filler.prompt(request()).text
    other = ContextFile(path="other.py", text="secret = 1\n")
    shown = filler.prompt(request(context=[other])).text
    assert "other.py:\nsecret = 1" in shown
    assert filled(filler, request(context=[other]))[1].cache.new_tokens > 0


@pytest.mark.parametrize("view", VIEWS)
def test_a_lone_surrogate_is_refused(
    fillers: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    with pytest.raises(InvalidText):
        list(fillers(view).fill(request("x = \ud800"), a_run()))


def test_the_canvas_shrinks_as_far_as_it_may(
    fillers: Callable[..., DiffusionGemmaFiller],
) -> None:
    filler = fillers(SuffixView.PINNED, canvas=256, length=Length.FIXED, steps=1)
    slots = []
    while True:
        asked = request(limits=Limits(tokens=512))
        slots.append(filled(filler, asked)[1].tokens + pinned(filler, asked))
        if not filler.shrink():
            break
    assert slots == [256, 128, 64, 32]


def test_closing_lets_go_of_all_contexts(fillers: Callable[..., DiffusionGemmaFiller]) -> None:
    filler = fillers(SuffixView.PROMPT)
    filled(filler, request())
    assert filler.contexts.nbytes > 0
    filler.close()
    assert filler.contexts.nbytes == 0


@given(prefix=st.text(max_size=60), suffix=st.text(max_size=40), view=st.sampled_from(VIEWS))
@settings(max_examples=15, deadline=None)
def test_any_text_is_filled(
    opened: DiffusionGemmaFiller, prefix: str, suffix: str, view: SuffixView
) -> None:
    filler = opened.with_options(Options(canvas=32, steps=1, suffix=view, weights=Weights.FLOAT32))
    final = filled(filler, request(prefix, suffix))[1]
    assert final.text.encode().decode() == final.text
    assert "\ufffd" not in final.text


def test_a_greedy_model_repeats_itself_and_a_warm_request_overrules_it(
    fillers: Callable[..., DiffusionGemmaFiller],
) -> None:
    filler = fillers(SuffixView.PINNED, temperature=0.0)
    assert filler._rule_at(0.0).greedy
    assert filler._rule_at(0.7) == replace(
        filler._rule, greedy=False, temperature=filler._rule.temperature.beginning_at(0.7)
    )


@pytest.mark.parametrize("view", VIEWS)
def test_a_canvas_that_starts_from_a_suggestion_that_holds_takes_one_step(
    scripted: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    asked = request(PREFIX + "va")
    end = "</middle><turn|>" if view is SuffixView.PROMPT else ""
    filler = scripted(view, "lue + total" + end, asked, start=Start.BELIEVED)
    filler._fills.note(PREFIX, "value + total")

    drafts, final = filled(filler, asked)

    assert final.text == "lue + total"
    assert final.steps == len(drafts) == 1


@pytest.mark.parametrize("view", VIEWS)
def test_a_suggestion_that_no_longer_holds_is_written_over(
    scripted: Callable[..., DiffusionGemmaFiller], view: SuffixView
) -> None:
    asked = request()
    end = "</middle><turn|>" if view is SuffixView.PROMPT else ""
    fills = []
    for believed in ("", "import total\n"):
        filler = scripted(view, "value + 1" + end, asked, start=Start.BELIEVED)
        filler._fills.note(PREFIX, believed)
        fills.append(filled(filler, asked)[1])

    assert fills[0].text == fills[1].text
    assert fills[1].steps > 1


def test_a_suggestion_is_remembered_only_where_it_may_be_believed(
    fillers: Callable[..., DiffusionGemmaFiller],
) -> None:
    for start in Start:
        filler = fillers(SuffixView.PINNED, length=Length.FIXED, start=start)
        text = filled(filler, request())[1].text
        assert filler._fills.left(PREFIX) == (text if start is Start.BELIEVED else "")
        filler.forget()
        assert filler._fills.left(PREFIX) == ""
