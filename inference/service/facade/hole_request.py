"""From what a tool asks for to an `InfillRequest`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.exclusion.built_in import built_in_pattern
from midfill.inference.service.facade.cutting import Cuts
from midfill.inference.text.hole_at_cursor import BLOCK_OPENERS
from midfill.inference.wire import Extent, HoleSpan, InfillRequest, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.service.facade.fim_prompt import Hole

DEFAULT_TOKENS = 128
MOST_TOKENS = 512
"""What `Limits` allows; who asks for more gets this much."""

UNSTREAMED_MS = 3_000
"""For an answer that is not streamed and that names no time: tools wait about so long."""

STREAMED_MS = 10_000

LONGEST_MS = 600_000
"""What `Limits` allows."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a tool asks for, in the engine's terms.

    Attributes:
        request: for the engine.
        cuts: where the answer ends at the latest.
        shared: identical requests under way at the same time get different alternatives.
    """

    request: InfillRequest
    cuts: Cuts
    shared: bool = False


def wish(
    hole: Hole,
    *,
    tokens: int | None,
    deadline_ms: int | None,
    stream: bool,
    stops: Sequence[str] = (),
    n_indent: int = 0,
    n: int = 1,
    seed: int | None = None,
    temperature: float | None = None,
    shared: bool = False,
) -> Wish:
    """Translate a request.

    Files whose names say that they hold secrets are left out of the context.

    Args:
        tokens: at most; None or a negative number: the usual or the largest number.
        deadline_ms: None, or not above 0: the usual.
        stream: whether the answer is.
        shared: whether copies may get alternatives; never where a seed is named.
    """
    extent = Extent.LINE if "\n" in stops else extent_of(hole)
    at = len(hole.prefix)
    if deadline_ms is None or deadline_ms <= 0:
        deadline_ms = STREAMED_MS if stream else UNSTREAMED_MS
    request = InfillRequest(
        context=tuple(file for file in hole.context if built_in_pattern(file.path) is None),
        prefix=hole.prefix,
        suffix=hole.suffix,
        holes=(HoleSpan(start=at, end=at, extent=extent),),
        limits=Limits(tokens=_tokens(tokens), deadline_ms=min(deadline_ms, LONGEST_MS)),
        n=n,
        seed=seed or 0,
        temperature=temperature or 0.0,
    )
    return Wish(
        request,
        Cuts(tuple(stop for stop in stops if stop), n_indent),
        shared and n == 1 and seed is None,
    )


def extent_of(hole: Hole) -> Extent:
    """How far a middle may go that no stop string keeps to one line.

    Several lines from a blank line on, behind what opens a block, and where nothing follows;
    elsewhere to the end of the statement that has been begun.
    """
    begun = hole.prefix[max(hole.prefix.rfind("\n"), hole.prefix.rfind("\r")) + 1 :].strip()
    if not begun or begun.endswith(BLOCK_OPENERS) or not hole.suffix.strip():
        return Extent.LINES
    return Extent.STATEMENT


def _tokens(wanted: int | None) -> int:
    if wanted is None:
        return DEFAULT_TOKENS
    return MOST_TOKENS if wanted < 0 else min(max(wanted, 1), MOST_TOKENS)
