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

MOST_ASKED = 4
"""How often a window is counted; each time is a request to the server."""

BYTES_PER_CHARACTER = 4
"""In UTF-8, at most."""

ANCHORS = (1024, 128, 1)
"""Characters between places where the prefix window may start; the first step that is small
against the window."""


def last_tokens(text: str, budget: int, encode: Encode) -> tuple[str, list[int]]:
    """The end of a text with at most ``budget`` tokens, and their ids.

    The lengths that are tried do not depend on the text: a window that goes by the number of its
    tokens would move as they are typed.
    """
    seen: str | None = None
    for characters in (CHARACTERS_PER_TOKEN * budget, 2 * budget, budget, surely_fitting(budget)):
        window = text[window_start(text, characters) :] if characters > 0 else ""
        if not window:
            break
        if window == seen:
            continue
        seen, ids = window, encode(window)
        if len(ids) <= budget:
            return window, ids
    return "", []


def first_tokens(text: str, budget: int, encode: Encode) -> tuple[str, list[int]]:
    """The start of a text with at most ``budget`` tokens, and their ids."""
    window = text[: max(0, budget) * CHARACTERS_PER_TOKEN]
    for asked in range(MOST_ASKED):
        if not window:
            break
        ids = encode(window)
        if len(ids) <= budget:
            return window, ids
        # a little less than what is over budget mostly fits; less each time, for a denser start
        fitting = len(window) * budget * 15 // (len(ids) * 16) >> asked
        last = asked + 2 == MOST_ASKED
        window = window[: min(fitting, surely_fitting(budget)) if last else fitting]
    return "", []


def surely_fitting(budget: int) -> int:
    """So many characters have no more tokens, even where each byte is one."""
    return max(budget // BYTES_PER_CHARACTER, min(budget, 1))


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
