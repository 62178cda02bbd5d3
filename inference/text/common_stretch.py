"""What two texts have in common at their ends; found by halves, as comparing slices is quick."""

from __future__ import annotations

from typing import TypeVar

Text = TypeVar("Text", str, bytes)


def common_start(a: Text, b: Text) -> int:
    """How many characters, or bytes, two texts begin with alike."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_end(a: Text, b: Text, most: int) -> int:
    """How many of their last ``most`` characters, or bytes, two texts have alike."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low
