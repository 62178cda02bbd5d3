"""Fills as they are worth showing: golden cases for each rule, and properties of all of them."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.postprocess.around import Around, Drop
from midfill.inference.postprocess.pipeline import RULES, postprocess
from midfill.inference.syntax.grammars import grammar_for

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "postprocess"
CASES = [
    pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")
    for path in sorted(GOLDEN.glob("*.toml"))
    for case in tomllib.loads(path.read_text())["case"]
]


def test_every_rule_has_golden_cases() -> None:
    assert {path.stem for path in GOLDEN.glob("*.toml")} == {*RULES, "pipeline"}


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_golden(rule: str, case: dict[str, str]) -> None:
    before, fill, after = case["before"], case["fill"], case["after"]
    grammar = grammar_for(case.get("language", "python"))
    if rule == "pipeline":
        text = before + after
        result = postprocess(fill, text, len(before), len(before), grammar)
    else:
        result = RULES[rule](fill, Around(before, after, grammar))
    wanted = Drop(case["dropped"]) if "dropped" in case else case["wanted"]
    assert result == wanted


TEXT = st.lists(
    st.sampled_from(
        ["x", "f(", ")", "\n", "    ", "\r\n", "<|fim_middle|>", "```", "é", '"', "abc"]
    ),
    max_size=20,
).map("".join)


@given(TEXT, TEXT, TEXT, st.sampled_from([None, "python", "javascript"]))
def test_any_fill_is_shortened_or_dropped_and_that_once(
    before: str, fill: str, after: str, grammar: str | None
) -> None:
    text = before + after
    once = postprocess(fill, text, len(before), len(before), grammar)
    if isinstance(once, Drop):
        return
    assert len(once.replace("\r\n", "\n")) <= len(fill.replace("\r\n", "\n"))
    assert postprocess(once, text, len(before), len(before), grammar) == once


def test_what_really_stood_there_is_left_alone() -> None:
    draw = random.Random(0)
    kept = tried = 0
    for path in sorted((ROOT / "inference").rglob("*.py")):
        text = path.read_text()
        lines = text.splitlines(keepends=True)
        if len(lines) < 20:
            continue
        for length in (1, 1, 3):
            first = draw.randrange(len(lines) - length)
            fill = "".join(lines[first : first + length]).rstrip("\n")
            indent = len(fill) - len(fill.lstrip())
            start = sum(map(len, lines[:first])) + indent
            fill = fill[indent:]
            if not fill.strip() or fill.strip() in ('"""', ")", "}", "]"):
                continue
            tried += 1
            end = start + len(fill)
            text_without = text[:start] + text[end:]
            kept += postprocess(fill, text_without, start, start, "python") == fill
    assert tried > 100
    assert kept / tried >= 0.97
