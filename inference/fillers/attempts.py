"""How often, and how warm, a hole is filled for one request with alternatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from midfill.inference.wire import Draft, InfillRequest

T = TypeVar("T")

ALTERNATIVES_TEMPERATURE = 0.8
"""What alternatives are sampled at, at least."""

WARMER = 0.1
"""By how much each attempt at an alternative is warmer than the one before."""


def attempts(request: InfillRequest, temperature: float = 0.0) -> Iterator[tuple[float, int]]:
    """Temperature and seed of each attempt.

    Nearly twice as many as asked for, since samples may repeat each other, and each warmer.

    Args:
        request: what is asked for.
        temperature: of the first attempt, where the request does not name one.
    """
    first = request.temperature or temperature
    yield first, request.seed
    for number in range(1, 2 * request.n - 1):
        warm = max(first, ALTERNATIVES_TEMPERATURE)
        yield warm + number * WARMER, request.seed + number


def shown_if(attempt: Generator[Draft, None, T], shown: bool) -> Generator[Draft, None, T]:
    """Pass an attempt's drafts on if they are to be shown; its outcome in any case."""
    while True:
        try:
            draft = next(attempt)
        except StopIteration as end:
            outcome: T = end.value
            return outcome
        if shown:
            yield draft
