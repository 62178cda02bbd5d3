"""A middle of several lines that never meets its suffix, and where a fill of it ends."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import pytest
from scripted_filling import scripted_fill

from midfill.inference.denoising import Step
from midfill.inference.ending import Bars
from midfill.inference.filling import EndDoubts, Task
from midfill.inference.healing import Vocabulary
from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from midfill.inference.filling import Fill

VOCABULARY = Vocabulary([b"a", b"\n", b", ", b")"])
LETTER, BREAK, COMMA, PAREN = range(4)
BARS = Bars(sure=0.7, patience=4, possible=0.3)


def filled(
    monkeypatch: pytest.MonkeyPatch,
    written: list[tuple[int, float]],
    *,
    suffix: str = "\nreturn a\n",
    tokens: int = 20,
    doubts: bool = True,
) -> Fill:
    """What `fill_hole` makes of tokens, with the chance of an end before each, one a step."""

    steps = [Step((token,), (-0.1,), (), (chance,) if doubts else ()) for token, chance in written]
    task = Task("x = ", suffix, "_", Extent.LINES, b"", tokens, monotonic() + 60)
    asked = EndDoubts(lambda _: (), BARS) if doubts else None
    return scripted_fill(monkeypatch, steps, task, VOCABULARY, doubts=asked)


RUNNING_ON = [(LETTER, 0.0), (BREAK, 0.9)] + [(LETTER, 0.0), (BREAK, 0.1)] * 9


def test_it_ends_at_the_sure_place_once_that_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    fill = filled(monkeypatch, RUNNING_ON)
    assert (fill.text, fill.stop) == ("a", Stop.LIKELY_END)
    assert len(fill.written) == 1 + BARS.patience


def test_a_suffix_that_comes_in_time_ends_it_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    written = [(LETTER, 0.0), (BREAK, 0.9), (LETTER, 0.0), (BREAK, 0.0), (LETTER, 0.0), (BREAK, 0)]
    fill = filled(monkeypatch, written, suffix="\na\n")
    assert (fill.text, fill.stop) == ("a", Stop.SUFFIX)


def test_a_token_limit_cuts_at_a_possible_place(monkeypatch: pytest.MonkeyPatch) -> None:
    written = [(LETTER, 0.0), (BREAK, 0.4), (LETTER, 0.0), (BREAK, 0.1), (LETTER, 0.0)]
    fill = filled(monkeypatch, written, tokens=5)
    assert (fill.text, fill.stop) == ("a", Stop.TOKEN_LIMIT)


def test_without_a_head_a_limit_leaves_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    fill = filled(monkeypatch, RUNNING_ON, tokens=5, doubts=False)
    assert (fill.text, fill.stop) == ("a\na", Stop.TOKEN_LIMIT)


def test_inside_a_line_the_rest_of_it_is_left_as_it_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = [(LETTER, 0.0), (BREAK, 0.0), (LETTER, 0.1), (COMMA, 0.9)] + [(LETTER, 0.0)] * 9
    fill = filled(monkeypatch, written, suffix="; done(a)\n")
    assert (fill.text, fill.stop) == ("a\na", Stop.LIKELY_END)


@pytest.mark.parametrize("chance", [0.0, 0.2])
def test_an_unlikely_end_changes_nothing(monkeypatch: pytest.MonkeyPatch, chance: float) -> None:
    written = [(token, chance) for token, _ in RUNNING_ON]
    with_head = filled(monkeypatch, written, tokens=7)
    assert with_head.text == filled(monkeypatch, written, tokens=7, doubts=False).text
