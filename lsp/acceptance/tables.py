"""Figures about suggestions as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from midfill.inference.postprocess.around import Drop
from midfill.inference.text.hole_at_cursor import Reason
from midfill.lsp import silence
from midfill.lsp.acceptance.outcome import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from midfill.lsp.acceptance.figures import Figures, Group, Percentiles, Rate

FEW = 100
"""With fewer cases a rate is shown with its interval."""

MOST_ROWS = 10
"""Of languages, and of reasons."""

_ENDINGS = {
    Ending.ACCEPTED: "accepted",
    Ending.PARTLY: "accepted in part",
    Ending.TYPED: "typed through",
    Ending.REJECTED: "rejected",
    Ending.IGNORED: "ignored",
}

_STAGES = {
    "wait": "waiting for a pause",
    "engine": "engine",
    "encode": "  reading the context",
    "denoise": "  filling the hole",
    "total": "in all",
}

_REQUESTS = {
    "asked": "asked by the editor",
    "known": "answered from memory",
    "engine": "sent to the engine",
    "shown": "answered with a suggestion",
    "kept-back": "answered with nothing",
}

_REASONS = {
    silence_.code: silence_.sentence
    for silence_ in (
        silence.DISABLED,
        silence.MANUAL,
        silence.NOTHING_VISIBLE,
        silence.REFUSED,
        silence.SEVERAL_LINES,
        silence.OUTDATED,
        silence.SUPERSEDED,
        silence.BROKEN,
    )
} | {
    "not-ready": "The model was not ready.",
    "failed": "The engine could not answer.",
    "unlikely": "The suggestion was not likely enough to be right.",
    "deadline": "The time ran out.",
    "token-limit": "The suggestion was not finished within midfill.maximumTokens.",
    "snoozed": "Midfill was paused.",
    "excluded": "The file is excluded.",
}


def tables(figures: Figures) -> Iterator[Table]:
    """What became of suggestions, where and when, how long they took, and why there were none.

    Tables that would be empty are left out.
    """
    if figures.since is not None:
        yield _outcomes(figures)
        yield _groups("acceptance by language", "language", figures.languages[:MOST_ROWS])
        yield _groups("acceptance by hour of the day", "hour", figures.hours)
        yield _groups("acceptance by confidence", "confidence", figures.confidences)
        yield _latencies(figures)
    if any(figures.requests.values()):
        yield _requests(figures)
    if figures.reasons:
        yield _reasons(figures)


def reason_in_words(code: str) -> str:
    """Why nothing was shown, for people; the code itself if nobody knows it."""
    if code in _REASONS:
        return _REASONS[code]
    if code in set(Reason):
        return Reason(code).sentence
    return Drop(code).sentence if code in set(Drop) else code


def in_percent(rate: Rate) -> str:
    """A rate, with its interval if there are few cases."""
    if rate.value is None or rate.low is None or rate.high is None:
        return "–"
    value = f"{rate.value:.0%}"
    return value if rate.cases >= FEW else f"{value} ({100 * rate.low:.0f}–{rate.high:.0%})"


def _outcomes(figures: Figures) -> Table:
    shown = figures.all.shown
    table = _table("suggestions", "", "number", "share")
    table.add_row("shown", f"{shown:,}", "")
    for ending, words in _ENDINGS.items():
        number = figures.endings[ending]
        table.add_row(f"  {words}", f"{number:,}", f"{number / shown:.0%}" if shown else "–")
    table.add_row("acceptance, in all or in part", "", in_percent(figures.all.acceptance))
    kept = figures.kept
    table.add_row("all still there after 30 s", f"{kept.exact.hits:,}", in_percent(kept.exact))
    table.add_row("characters saved", f"{figures.saved:,}", _share(figures.saved, figures))
    if kept.share is not None:
        table.add_row("  of these, still there after 30 s", "", f"{kept.share:.0%}")
    table.add_row("too short on the screen to be read", f"{figures.endings[Ending.UNSEEN]:,}", "")
    return table


def _share(characters: int, figures: Figures) -> str:
    return f"{characters / figures.suggested:.0%}" if figures.suggested else "–"


def _groups(title: str, name: str, groups: Sequence[Group]) -> Table:
    table = _table(title, name, "shown", "accepted", "acceptance", "characters saved")
    for group in groups:
        accepted = group.acceptance.hits
        numbers = f"{group.shown:,}", f"{accepted:,}"
        table.add_row(group.name, *numbers, in_percent(group.acceptance), f"{group.saved:,}")
    return table


def _latencies(figures: Figures) -> Table:
    table = _table("milliseconds", "stage", "p50", "p95", "suggestions")

    def add(name: str, found: Percentiles) -> None:
        table.add_row(name, f"{found.p50:,.0f}", f"{found.p95:,.0f}", f"{found.cases:,}")

    for stage, found in figures.latencies.items():
        add(_STAGES[stage], found)
    if figures.memory:
        add("from memory, in all", figures.memory)
    return table


def _requests(figures: Figures) -> Table:
    table = _table("requests", "", "number")
    for event, words in _REQUESTS.items():
        table.add_row(words, f"{figures.requests[event]:,}")
    return table


def _reasons(figures: Figures) -> Table:
    table = _table("why nothing was shown", "reason", "times")
    for code, count in [*figures.reasons.items()][:MOST_ROWS]:
        table.add_row(reason_in_words(code), f"{count:,}")
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=bool(others))
    table.add_column(first, overflow="fold")
    for other in others:
        table.add_column(other, justify="right", no_wrap=True)
    return table
