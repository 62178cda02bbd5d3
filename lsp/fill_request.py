"""What ``midfill fill`` and the demo ask the engine."""

from __future__ import annotations

from midfill.inference.text.window import window_around
from midfill.inference.wire import Extent, HoleSpan, InfillRequest, Limits

TOKENS = {Extent.LINE: 64, Extent.LINES: 256}
"""The longest fill, unless somebody says otherwise."""

PATIENCE_MS = 120_000
"""Nobody types on while a command runs."""


def infill_request(
    text: str,
    start: int,
    end: int,
    extent: Extent,
    *,
    tokens: int | None = None,
    n: int = 1,
    seed: int = 0,
) -> InfillRequest:
    """A request to replace ``text[start:end]``."""
    window = window_around(text, start, end)
    at = len(window.prefix)
    return InfillRequest(
        prefix=window.prefix,
        suffix=window.suffix,
        holes=(HoleSpan(start=at, end=at, extent=extent),),
        limits=Limits(tokens=tokens or TOKENS[extent], deadline_ms=PATIENCE_MS),
        n=n,
        seed=seed,
    )
