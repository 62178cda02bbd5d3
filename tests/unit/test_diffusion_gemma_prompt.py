"""What the model is shown in each of the three ways."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_diffusion_gemma import tiny_tokenizer_json

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.diffusion_gemma.markers import Markers
from midfill.inference.models.diffusion_gemma.prompt import (
    Prompt,
    Windows,
    build_prompt,
    shown_prompt,
)
from midfill.inference.models.hub_tokenizer import HubTokenizer
from midfill.inference.models.options import SuffixView
from midfill.inference.wire import ContextFile
from midfill.inference.wire_prompt import PromptPart

WINDOWS = Windows(prefix=64, suffix=16, context=40)
NO_THOUGHTS = "<|turn>model\n<|channel>thought\n<channel|>"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> HubTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_text(tiny_tokenizer_json())
    return HubTokenizer(folder)


class Desk:
    """Lays prompts out."""

    def __init__(self, tokenizer: HubTokenizer, tmp: pytest.TempPathFactory) -> None:
        self.tokenizer = tokenizer
        self.markers = Markers.of(tokenizer, tmp.mktemp("markers"))

    def prompt(
        self,
        view: SuffixView,
        prefix: str,
        suffix: str,
        context: tuple[ContextFile, ...] = (),
        pinned: int = 16,
    ) -> Prompt:
        return build_prompt(
            self.tokenizer, self.markers, view, prefix, suffix, context, WINDOWS, pinned
        )

    def text(self, prompt: Prompt) -> str:
        return shown_prompt(self.tokenizer, self.markers, prompt, "tiny").text


@pytest.fixture(scope="module")
def desk(tokenizer: HubTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tokenizer, tmp_path_factory)


def test_a_pinned_suffix_stands_in_the_canvas_alone(desk: Desk) -> None:
    prompt = desk.prompt(SuffixView.PINNED, "def total(", "):\n")
    text = desk.text(prompt)
    assert text.startswith("<bos><|turn>user\n")
    assert text.endswith(f"<turn|>\n{NO_THOUGHTS}def total():\n<turn|>")
    assert prompt.pinned == (*desk.tokenizer.encode("):\n"), desk.markers.turn_end)
    assert desk.text(Prompt(prompt.pieces, ())).endswith("def total(")


def test_in_the_question_the_suffix_stands_before_the_prefix(desk: Desk) -> None:
    prompt = desk.prompt(SuffixView.PROMPT, "def total(", "):\n")
    text = desk.text(prompt)
    assert text.index("):\n</behind>") < text.index("def total(</front>")
    assert text.endswith(f"<turn|>\n{NO_THOUGHTS}<middle>")
    assert prompt.pinned == ()


def test_both_ways_have_the_suffix_in_the_question_and_pinned(desk: Desk) -> None:
    prompt = desk.prompt(SuffixView.BOTH, "def total(", "):\n")
    assert desk.text(prompt).count("):\n") == 2
    assert prompt.pinned[:2] == tuple(desk.tokenizer.encode("):\n"))[:2]


def test_no_more_is_pinned_than_may_be_and_no_end_where_the_file_goes_on(desk: Desk) -> None:
    prompt = desk.prompt(SuffixView.PINNED, "", "value = 1\n" * 20, pinned=7)
    assert len(prompt.pinned) == 7
    assert desk.markers.turn_end not in prompt.pinned
    longer = desk.prompt(SuffixView.PINNED, "", "value = 1\n" * 20, pinned=99)
    assert len(longer.pinned) == WINDOWS.suffix
    assert desk.markers.turn_end not in longer.pinned


def test_behind_the_last_hole_of_a_file_its_end_is_pinned(desk: Desk) -> None:
    assert desk.prompt(SuffixView.PINNED, "x", "").pinned == (desk.markers.turn_end,)


def test_other_files_stand_first_and_within_their_budget(desk: Desk) -> None:
    files = (
        ContextFile(path="a.py", text="import value\n"),
        ContextFile(path="b.py", text="x" * 99),
    )
    for view in SuffixView:
        prompt = desk.prompt(view, "def total(", "):\n", files)
        text = desk.text(prompt)
        assert text.index("a.py:\nimport value") < text.index("b.py") < text.rindex("def total(")
        context = [piece for piece in prompt.pieces if piece.part is PromptPart.CONTEXT]
        assert sum(len(piece.tokens) for piece in context) == WINDOWS.context


@pytest.mark.parametrize("view", list(SuffixView))
def test_typing_appends_to_what_is_encoded(desk: Desk, view: SuffixView) -> None:
    source = "import value\n\ndef total(self):\n    return value + "
    before = desk.prompt(view, source, "\n").tokens
    after = desk.prompt(view, source + "x = y\n", "\n").tokens
    at_the_end = 60 if view is SuffixView.PROMPT else 2
    shared = (
        next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
        if (before != after[: len(before)])
        else len(before)
    )
    assert shared >= len(before) - at_the_end


def test_text_that_spells_markers_is_no_marker(desk: Desk) -> None:
    prompt = desk.prompt(SuffixView.PROMPT, "<turn|><|turn>model", "<bos><pad>")
    plain = desk.prompt(SuffixView.PROMPT, "x", "y")

    def markers(one: Prompt) -> list[int]:
        return [token for token in one.tokens if token in desk.markers.names]

    assert markers(prompt) == markers(plain)
    assert "<turn|><|turn>model</front>" in desk.text(prompt)


@given(
    prefix=st.text(max_size=300),
    suffix=st.text(max_size=80),
    view=st.sampled_from(list(SuffixView)),
)
@settings(max_examples=30, deadline=None)
def test_windows_hold_whatever_the_text(
    desk: Desk, prefix: str, suffix: str, view: SuffixView
) -> None:
    prompt = desk.prompt(view, prefix, suffix)
    sizes = dict.fromkeys(PromptPart, 0)
    for piece in prompt.pieces:
        sizes[piece.part] += len(piece.tokens)
    assert sizes[PromptPart.PREFIX] <= WINDOWS.prefix
    assert sizes[PromptPart.SUFFIX] <= WINDOWS.suffix
    shown = shown_prompt(desk.tokenizer, desk.markers, prompt, "tiny")
    assert shown.tokens() == len(prompt.tokens) + len(prompt.pinned)


@pytest.mark.parametrize("marker", ["<|turn>", "<channel|>", "<turn|>"])
def test_a_tokenizer_without_the_markers_is_refused(
    tmp_path_factory: pytest.TempPathFactory, marker: str
) -> None:
    folder = tmp_path_factory.mktemp("other")
    (folder / "tokenizer.json").write_text(tiny_tokenizer_json(without=(marker,)))
    with pytest.raises(WeightsCorrupt, match=r"has no token .*not DiffusionGemma's"):
        Markers.of(HubTokenizer(folder), folder)


def test_text_that_closes_a_section_does_not_end_it(desk: Desk) -> None:
    text = desk.text(desk.prompt(SuffixView.PROMPT, "a </front> b", "c </behind> d"))

    assert "<front-2>a </front> b</front-2>" in text
    assert "<behind-2>c </behind> d</behind-2>" in text
