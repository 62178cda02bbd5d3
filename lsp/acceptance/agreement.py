"""How far a text in a document follows a suggestion."""

from __future__ import annotations

import re

from midfill.inference.text.common_stretch import common_start

OPENED_BY = {")": "(", "]": "[", "}": "{", ">": "<", '"': '"', "'": "'", "`": "`"}
"""Marks that editors add on their own behind the cursor, and what makes them do so."""

BLANKS = " \t"

_NEW_LINE = re.compile(r"\r?\n[ \t]*\Z")
_PAIRS = frozenset(opening + closing for closing, opening in OPENED_BY.items())


def agreement(text: str, target: str) -> tuple[int, int]:
    """How many characters of a text begin a target, and how many of the target they are.

    Line breaks of any kind are alike, and so is every indentation behind one: editors write their
    own.
    """
    i = j = common_start(text, target)
    if i == len(text) or j == len(target):
        return i, j
    while i < len(text) and j < len(target):
        if text[i] == target[j]:
            i, j = i + 1, j + 1
        elif text.startswith("\r\n", i) and target[j] == "\n":
            i += 1
        elif target.startswith("\r\n", j) and text[i] == "\n":
            j += 1
        elif text[i] in BLANKS and in_indentation(text, i):
            i += 1
        elif target[j] in BLANKS and in_indentation(target, j):
            j += 1
        else:
            break
    return i, j


def in_indentation(text: str, at: int) -> bool:
    """Whether only blanks stand between a line break of the text and a place in it."""
    before = text[:at].rstrip(BLANKS)
    return before.endswith("\n")


def only_closes(text: str, before: str) -> bool:
    """Whether an editor may have added a text on its own: it closes what the one before opens."""
    return all(mark in OPENED_BY and OPENED_BY[mark] in before for mark in text)


def inside_word(text: str, at: int) -> bool:
    """Whether a place in a text has parts of one word on both of its sides."""
    return 0 < at < len(text) and _in_word(text[at - 1]) and _in_word(text[at])


def one_key(text: str) -> bool:
    """Whether one key may have written a text: with the bracket's other half, or an indentation."""
    return len(text) == 1 or text in _PAIRS or _NEW_LINE.match(text) is not None


def runs_on(first: str, second: str) -> bool:
    """Whether two neighbouring texts share a word across their border."""
    return bool(first and second) and _in_word(first[-1]) and _in_word(second[0])


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
