"""How a problem is put to the engine: as an editor or ``midfill fill`` would put it.

The text has a hole instead of the gold middle. A whole line's line break stays, as on a blank line
in an editor; a range that somebody marked is stood for by one character, which is all that is given
away of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.evaluation.arms.arm import token_limit
from midfill.inference.text.line_breaks import for_model
from midfill.inference.text.window import Window, window_around
from midfill.inference.wire import Extent, HoleSpan, InfillRequest, Limits

if TYPE_CHECKING:
    from midfill.inference.evaluation.problems import Problem

STAND_IN = "_"

PATIENCE_MS = 600_000


def window_of(problem: Problem) -> Window:
    """The text around the hole that the engine is to see."""
    prompt = for_model(problem.prompt)
    text = prompt + problem.closing + for_model(problem.suffix)
    return window_around(text, len(prompt), len(prompt))


def request_of(problem: Problem) -> InfillRequest:
    window, extent = window_of(problem), problem.kind.extent
    start = len(window.prefix)
    stand_in = STAND_IN if extent is Extent.LINES else ""
    return InfillRequest(
        prefix=window.prefix,
        suffix=stand_in + window.suffix,
        holes=(HoleSpan(start=start, end=start + len(stand_in), extent=extent),),
        language=problem.language,
        limits=Limits(tokens=token_limit(extent), deadline_ms=PATIENCE_MS),
    )
