"""Half-open intervals of integers, and sets of them."""


def overlaps(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two intervals share at least one number."""
    return a[0] < b[1] and b[0] < a[1]


def merge(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join intervals that overlap or touch; the result is sorted."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def length(intervals: list[tuple[int, int]]) -> int:
    """How many numbers lie in at least one of the intervals."""
    return sum(end - start for start, end in merge(intervals))


def contains(intervals: list[tuple[int, int]], number: int) -> bool:
    """Whether a number lies in at least one of the intervals."""
    for start, end in intervals:
        if start <= number < end:
            return True
    return False
