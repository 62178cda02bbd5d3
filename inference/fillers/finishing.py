"""From what a model that sees both sides wrote in a hole to what is handed back."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass, replace
from math import exp, isfinite
from typing import TYPE_CHECKING

from midfill.inference.stopping import Surroundings, find_end, finished_part
from midfill.inference.text.line_breaks import for_model, in_document
from midfill.inference.text.seam import end_lines
from midfill.inference.wire import CacheFigures, Extent, Final, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.stopwatch import Stopwatch

CUT_SHORT = (Stop.DEADLINE, Stop.TOKEN_LIMIT)
"""What ends a middle before it is finished."""

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What no source file needs and terminals obey; all but the tab and the line break."""


@dataclass(frozen=True, slots=True)
class Middle:
    """What stands in a hole.

    Attributes:
        text: with ``\\n`` line breaks.
        stop: why it ended.
        tokens: that were written.
        steps: forward passes that it took.
        log_probabilities: of the tokens, when they were accepted, under the model's own
            distribution at temperature 1; nats. Empty where they are not known.
        starts: where in the text each token begins, if that is known; then only the tokens that are
            kept, and the one behind them, count for the confidence.
        step_tokens: how many tokens each step made certain, if that is known.
    """

    text: str
    stop: Stop
    tokens: int
    steps: int
    log_probabilities: tuple[float, ...] = ()
    starts: tuple[int, ...] = ()
    step_tokens: tuple[int, ...] = ()


def starts_of(pieces: Sequence[bytes], skipped: int = 0) -> tuple[int, ...]:
    """Where in their text tokens begin.

    Args:
        pieces: the tokens' bytes.
        skipped: bytes at the beginning that are no part of the text.

    Returns:
        Characters; a token that begins inside a character begins with it.
    """
    starts, decoder = [], getincrementaldecoder("utf-8")("ignore")
    at = 0
    for piece in pieces:
        starts.append(at)
        at += len(decoder.decode(piece[skipped:]))
        skipped = max(0, skipped - len(piece))
    return tuple(starts)


def without_controls(text: str) -> str:
    """A text with ``\\n`` line breaks, and without escape codes that a terminal would follow."""
    return CONTROLS.sub("", for_model(text))


def finished(middle: Middle, text: HoleText, extent: Extent) -> Middle:
    """Cut a middle where a rule ends it, and have it meet what stands behind it.

    A model that sees the suffix leads up to it by itself. What is cut off is a repetition of the
    suffix, a line too many, and what a limit left half written.
    """
    around = Surroundings.of(text.prefix, text.suffix, extent, text.replaced)
    # A model may write a carriage return, which the rules would not take for the end of a line.
    clean, stop = without_controls(middle.text), middle.stop
    starts, written = middle.starts, clean
    if clean != middle.text:
        starts = tuple(len(without_controls(middle.text[:start])) for start in starts)
    if ending := find_end(written, around, extent):
        written, stop = written[: ending.at], ending.stop
    elif stop in CUT_SHORT:
        written = finished_part(written, extent)
    if stop is Stop.REFUSED:
        written = ""
    if not around.line_after.strip() and stop is not Stop.REST_OF_LINE:
        written = end_lines(written, with_break=around.brings_break)
    elif extent is Extent.LINE:
        written = written.partition("\n")[0]
    kept = middle.log_probabilities
    if starts and written in clean:
        kept = kept[: 1 + sum(start < len(written) for start in starts)]
    return replace(middle, text=written, stop=stop, log_probabilities=kept, starts=starts)


def certainty(log_probabilities: Sequence[float]) -> float:
    """The geometric mean of the tokens' probabilities; 0 if there are none, or no numbers."""
    if not log_probabilities or not all(map(isfinite, log_probabilities)):
        return 0.0
    return min(1.0, exp(sum(log_probabilities) / len(log_probabilities)))


def is_new(middle: Middle, others: Sequence[Middle]) -> bool:
    """Whether a middle is whole and shows something that no other does, blanks around it apart."""
    shown = middle.text.strip()
    whole = middle.stop not in (Stop.DEADLINE, Stop.REFUSED)
    return whole and bool(shown) and shown not in {other.text.strip() for other in others}


def final_of(
    middles: Sequence[Middle],
    text: HoleText,
    model: str,
    watch: Stopwatch,
    cache: CacheFigures,
) -> Final:
    """The answer to a request.

    Args:
        middles: finished; the first is the fill, the others are its alternatives.
        text: around the hole.
        model: its name.
        watch: the request's.
        cache: how much of the context was encoded already.
    """
    best = middles[0]
    return Final(
        text=in_document(best.text, text.line_break),
        alternatives=tuple(in_document(other.text, text.line_break) for other in middles[1:]),
        confidence=certainty(best.log_probabilities) if best.text.strip() else 0.0,
        log_probabilities=tuple(round(value, 6) for value in best.log_probabilities),
        stop=best.stop,
        model=model,
        tokens=best.tokens,
        steps=best.steps,
        step_tokens=best.step_tokens,
        ms=watch.figures(),
        cache=cache,
    )
