"""How long VS Code itself takes to show grey text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vscode.frames import watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from vscode.fixtures import Edit
    from vscode.window import Window


pytestmark = pytest.mark.timeout(600)


LINES = (
    "total = sum(",
    "average = total / ",
    "largest = max(",
    "smallest = min(",
    "for value in ",
    "squares = [value * ",
    "even = [value for value in ",
    "pairs = zip(",
    "text = str(",
    "count = len(",
    "ordered = sorted(",
    "print(",
    "lines = text.split(",
    "joined = ', '.join(",
    "first = values[",
    "with open(",
    "if total > ",
    "while count < ",
    "names = list(",
    "result = average + ",
)
NUMBERS = "values = [3, 1, 2]\n"


def test_how_long_a_key_takes_to_grey_text(
    window: Window, edit: Edit, measured: Callable[[str, float], None]
) -> None:
    edit("measured.py", NUMBERS)
    answered = 0
    for line in LINES:
        window.type(line[:-1])
        window.press("Escape")
        window.page.wait_for_timeout(30)
        with watching(window) as watched:
            window.type(line[-1])
            window.page.wait_for_timeout(30)
            for _ in range(100):
                if window.ghost:
                    break
                window.page.wait_for_timeout(20)
        window.press("Escape")
        key = watched.keys[0]
        if key["grey"] is not None and not key["before"]:
            answered += 1
            measured("VS Code, key to grey text", key["grey"])
        window.press("Control+a")
        window.page.keyboard.insert_text(NUMBERS)
    assert answered >= 15
