"""How much of the text around a hole is sent.

The tokenizer is the server's, so windows are cut by characters and then counted. The prefix window
starts at anchors, which do not depend on where the prefix ends: typing leaves it where it is, and
the server's prefix cache holds all but what was typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Encode = Callable[[str], list[int]]

CHARACTERS_PER_TOKEN = 4
"""More than source code has on average."""

ANCHORS = (1024, 128, 1)
"""Characters between places where the prefix window may start; the first step that is small
against the window."""


def last_tokens(text: str, budget: int, encode: Encode) -> tuple[str, list[int]]:
    """The end of a text with at most ``budget`` tokens, and their ids."""
    characters = budget * CHARACTERS_PER_TOKEN
    while characters:
        window = text[window_start(text, characters) :]
        ids = encode(window)
        if len(ids) <= budget:
            return window, ids
        characters //= 2
    return "", []


def first_tokens(text: str, budget: int, encode: Encode) -> tuple[str, list[int]]:
    """The start of a text with at most ``budget`` tokens, and their ids."""
    characters = budget * CHARACTERS_PER_TOKEN
    while characters:
        window = text[:characters]
        ids = encode(window)
        if len(ids) <= budget:
            return window, ids
        # what is over budget is known now; a little less is sure to fit
        characters = min(characters - 1, len(window) * budget * 15 // (len(ids) * 16))
    return "", []


def window_start(text: str, characters: int) -> int:
    """The first anchor behind which at most so many characters stand, at a line's start if there
    is one near it."""
    earliest = len(text) - characters
    if earliest <= 0:
        return 0
    step = next(step for step in ANCHORS if 2 * step <= characters or step == 1)
    anchor = -(-earliest // step) * step
    line_start = text.find("\n", anchor - 1, anchor + step // 2) + 1
    return line_start or anchor
