"""What ``midfill fill`` and the demo ask the engine."""

from __future__ import annotations

from midfill.inference.text.window import window_around
from midfill.inference.wire import Extent, HoleSpan, InfillRequest, Limits

LINE_TOKENS, LINES_TOKENS = 64, 256
"""The longest fills of one line and of several, unless somebody says otherwise."""

LAST_REPLACED = 2
"""Characters of the replaced text that are sent: whether it ends with a line break matters."""

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
    longest = LINES_TOKENS if extent.several_lines else LINE_TOKENS
    window = window_around(text, start, end)
    at = len(window.prefix)
    replaced = text[start:end][-LAST_REPLACED:]
    return InfillRequest(
        prefix=window.prefix,
        suffix=replaced + window.suffix,
        holes=(HoleSpan(start=at, end=at + len(replaced), extent=extent),),
        limits=Limits(tokens=tokens or longest, deadline_ms=PATIENCE_MS),
        n=n,
        seed=seed,
    )
