"""How far a run has come, on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.evaluation.report import OURS, SCORES, TITLES

if TYPE_CHECKING:
    from midfill.inference.evaluation.evaluate import Advance


def progress_line(advance: Advance) -> str:
    """Rows done, time left, and the scores of our own fills so far."""
    parts = [f"{len(advance.rows)} of {advance.total}"]
    if advance.seconds_left is not None:
        parts.append(f"{_duration(advance.seconds_left)} left")
    fills = [row.arms[OURS] for row in advance.rows]
    for score in SCORES:
        if score in fills[0]:
            mean = sum(float(fill[score]) for fill in fills) / len(fills)
            parts.append(f"{TITLES[score]} {100 * mean:.1f} %")
    tokens, steps = (sum(fill[name] for fill in fills) for name in ("tokens", "steps"))
    return ", ".join((*parts, f"{tokens / steps:.2f} tokens a step"))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
