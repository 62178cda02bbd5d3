"""How much text is sent: within every budget, and found out by a few questions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.fillers.hole_text import HoleText
from midfill.inference.models.options import SuffixView
from midfill.inference.vllm.fim_prompt import fim_prompt
from midfill.inference.vllm.layout import Budget
from midfill.inference.vllm.markers import QWEN, TURNS
from midfill.inference.vllm.patience import Patience
from midfill.inference.vllm.pinned import LENGTHS, WIDTHS, lengths_for, tail_of
from midfill.inference.vllm.turn_prompt import turn_prompt
from midfill.inference.vllm.windows import MOST_ASKED, first_tokens, last_tokens
from midfill.inference.wire import ContextFile, Extent
from midfill.inference.wire_prompt import PromptPart

TOKENS = {
    "words": re.compile(r"\w{1,6}|\s+|[^\w\s]"),
    "characters": re.compile(r"(?s:.)"),
    "lines": re.compile(r"[^\n]*\n|[^\n]+"),
}
PATIENCE = Patience.of(3600)

texts = st.one_of(
    st.text(alphabet="ab \n(é漢🦄", max_size=400),
    st.tuples(st.sampled_from(["x", "(", " ", "漢", "ab = 1\n"]), st.integers(0, 2000)).map(
        lambda pair: pair[0] * pair[1] + " " * 300
    ),
)
budgets = st.integers(-5, 50)
kinds = st.sampled_from([*TOKENS, "bytes"])


class Counted:
    """A tokenizer that says how often it was asked."""

    def __init__(self, kind: str = "words") -> None:
        self.kind = kind
        self.asked: list[str] = []
        self.markers = {name: 900 + n for n, name in enumerate((*QWEN.markers, *TURNS.markers))}
        self.begin = [899]

    def encode(
        self, text: str, patience: Patience = PATIENCE, *, spaced: bool = False
    ) -> list[int]:
        self.asked.append(text)
        if self.kind == "bytes":
            return list(text.encode())
        return [7] * len(TOKENS[self.kind].findall(text))


@given(texts, budgets, kinds)
def test_a_suffix_window_keeps_to_its_budget_and_is_found_in_a_few_questions(
    text: str, budget: int, kind: str
) -> None:
    tokenizer = Counted(kind)
    window, ids = first_tokens(text, budget, tokenizer.encode)
    assert text.startswith(window)
    assert len(ids) <= max(0, budget)
    assert len(tokenizer.asked) <= MOST_ASKED
    assert ids == tokenizer.encode(window)


@given(texts, budgets, kinds)
def test_a_prefix_window_keeps_to_its_budget_and_is_found_in_a_few_questions(
    text: str, budget: int, kind: str
) -> None:
    tokenizer = Counted(kind)
    window, ids = last_tokens(text, budget, tokenizer.encode)
    assert text.endswith(window)
    assert len(ids) <= max(0, budget)
    assert len(tokenizer.asked) <= MOST_ASKED
    assert ids == tokenizer.encode(window)


@pytest.mark.parametrize("kind", [*TOKENS, "bytes"])
@pytest.mark.parametrize("find", [first_tokens, last_tokens])
def test_a_window_is_only_empty_where_there_is_no_text_or_no_room(kind: str, find: object) -> None:
    for budget in range(4, 50):
        for text in ("(" * 3000, "((" * 40 + " " * 900, " " * 900 + "((" * 40, "漢" * 999):
            window, _ = find(text, budget, Counted(kind).encode)  # type: ignore[operator]
            # a token of a single line is over no budget but may not be cut
            assert window, (budget, text[:3], kind)


@given(
    st.lists(texts, max_size=12),
    st.tuples(budgets, budgets, budgets),
    st.sampled_from([None, *SuffixView]),
    kinds,
)
def test_every_part_of_a_prompt_keeps_to_its_budget(
    files: list[str], sizes: tuple[int, int, int], view: SuffixView | None, kind: str
) -> None:
    tokenizer = Counted(kind)
    context = [ContextFile(path=f"src/{n}.py", text=text) for n, text in enumerate(files)]
    budget = Budget(*sizes)
    text = HoleText("x = 1\n" * 60, "\ny = 2\n" * 60, "", "\n")
    if view is None:
        layout = fim_prompt(tokenizer, QWEN, text, context, budget, PATIENCE)  # type: ignore[arg-type]
    else:
        layout = turn_prompt(tokenizer, view, text, context, budget, PATIENCE)  # type: ignore[arg-type]
    used = {
        part: sum(len(piece.ids) for piece in layout.pieces if piece.part is part)
        for part in PromptPart
    }
    assert used[PromptPart.PREFIX] <= max(0, budget.prefix)
    assert used[PromptPart.SUFFIX] <= max(0, budget.suffix)
    # a family's markers count as well
    files_sent = sum(piece.text == QWEN.file for piece in layout.pieces)
    assert used[PromptPart.CONTEXT] + files_sent <= max(0, budget.context)
    assert len(tokenizer.asked) <= MOST_ASKED * (2 + len(files)) + 12


@given(st.integers(-200, 5000), st.integers(0, 5000), st.integers(0, 5000))
def test_budgets_are_never_negative_and_fit_together(room: int, prefix: int, suffix: int) -> None:
    budget = Budget.within(room, prefix, suffix)
    sizes = (budget.prefix, budget.suffix, budget.context)
    assert min(sizes) >= 0
    assert sum(sizes) <= max(0, room)


@pytest.mark.parametrize("kind", [*TOKENS, "bytes"])
@pytest.mark.parametrize("start", ["", "print" * 52, " " * 5000, "\n" * 600, "漢" * 90, "((" * 400])
def test_of_a_long_suffix_only_the_start_is_sent_to_be_held(kind: str, start: str) -> None:
    tokenizer = Counted(kind)
    suffix = start + "secret_tail = 1\n" * 6_000
    tail = tail_of(tokenizer, suffix, 64, 256, PATIENCE)  # type: ignore[arg-type]
    assert sum(map(len, tokenizer.asked)) <= 4096
    assert max(map(len, tokenizer.asked)) <= 4 * 256
    assert tail.padding is None
    true = tokenizer.encode(suffix[:8192])
    lengths = lengths_for(tail, Extent.LINE, 64, 64)
    assert lengths[:8] == list(LENGTHS[:8])
    for free in lengths:
        behind = tail.behind(free, 64)
        assert behind is not None
        assert behind == true[: len(behind)]
        assert len(behind) == len(tail.ids) or (free + len(behind)) % WIDTHS == 0


def test_more_of_a_suffix_is_sent_only_where_its_start_makes_few_tokens() -> None:
    tokenizer = Counted()
    tail = tail_of(tokenizer, "\n" + " " * 700 + "x = 1\n" * 500, 64, 256, PATIENCE)  # type: ignore[arg-type]
    assert [len(text) for text in tokenizer.asked] == [256, 512, 1024]
    assert len(tail.ids) == 64
