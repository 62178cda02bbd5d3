"""How alike two texts are."""

from __future__ import annotations


def edit_similarity(one: str, other: str) -> float:
    """One minus the Levenshtein distance in characters, as a part of the longer text's length."""
    longest = max(len(one), len(other))
    return 1.0 if longest == 0 else 1.0 - _distance(one, other) / longest


def _distance(one: str, other: str) -> int:
    before = list(range(len(other) + 1))
    for row, a in enumerate(one, 1):
        now = [row]
        for column, b in enumerate(other, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (a != b)))
        before = now
    return before[-1]
