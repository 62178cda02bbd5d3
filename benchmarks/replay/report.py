"""The figures as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from midfill.lsp.acceptance.tables import reason_in_words

from .overhead import verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .figures import Figures, Spread
    from .overhead import Overhead

_REQUESTS = {
    "made": "made, one after every edit",
    "in_time": "shown before the next key",
    "nothing": "answered with nothing before the next key",
    "overtaken": "overtaken by the next key",
}

_SERVER = {
    "asked": "asked",
    "known": "answered from memory",
    "engine": "sent to the engine",
    "shown": "answered with a suggestion",
    "kept-back": "answered with nothing, or superseded",
}

_STAGES = {
    "wait": "waiting for a pause",
    "engine": "engine",
    "encode": "  reading the context",
    "denoise": "  filling the hole",
    "total": "in all",
}

_LATENCY = {
    "shown": "a suggestion",
    "typed_through": "the rest of one, typed through",
    "nothing": "nothing",
}


def replay_tables(found: Figures) -> Iterator[Table]:
    """What was typed, asked, answered and saved, and how long it took."""
    yield _typing(found)
    yield _counts("requests, as the typist saw them", _REQUESTS, found.requests)
    yield _counts("requests, as the server says", _SERVER, found.server)
    if found.kept_back:
        words = {code: reason_in_words(code) for code in found.kept_back}
        yield _counts("why there was nothing", words, found.kept_back)
    yield _spreads("from the key to the answer, if before the next key", _LATENCY, found.latency)
    yield _spreads("shown suggestions of the engine, by stage", _STAGES, found.stages)


def overhead_tables(found: Overhead) -> Iterator[Table]:
    """What the server costs, by what is done and where, and what it was to cost at most."""
    size = f"{found.lines:,} lines, {found.characters:,} characters of {found.bytes} bytes"
    table = Table(title=f"milliseconds without the engine, in a file of {size}")
    table.add_column()
    places = ("top", "middle", "end", "all")
    for place in places:
        table.add_column(f"{place}\np50", justify="right")
        table.add_column("\np95", justify="right")
    table.add_column("\nn", justify="right")
    for kind, by_place in found.spreads.items():
        cells = (cell for place in places for cell in _two(by_place[place]))
        table.add_row(kind, *cells, str(by_place["all"].n))
    yield table
    targets = Table(title="targets")
    for name in ("", "target", "found", ""):
        targets.add_column(name)
    for one in verdicts(found):
        targets.add_row(one.what, one.target, one.found, "met" if one.met else "MISSED")
    yield targets


def _typing(found: Figures) -> Table:
    typing, shares = found.typing, found.shares
    table = Table(title="typing", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "minutes": f"{typing['seconds'] / 60:.1f}",
        "files": _whole(typing["traces"]),
        "keys": _whole(typing["keys"]),
        "characters written": _whole(typing["characters_written"]),
        "of them accepted": f"{_whole(typing['characters_accepted'])} "
        f"({_percent(shares['characters_saved'])})",
        "keys saved": _percent(shares["keys_saved"]),
        "suggestions that came up in time": _whole(typing["suggestions"]),
        "  and stayed long enough to be read": _whole(typing["suggestions_read"]),
        "  and were accepted": f"{_whole(typing['accepted'])} "
        f"({_percent(shares['read_suggestions_accepted'])} of those read)",
        "    of these the first line alone": _whole(typing["of_these_the_first_line"]),
        "requests that needed no engine": _percent(shares["requests_without_engine"]),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _counts(title: str, words: Mapping[str, str], counts: Mapping[str, int]) -> Table:
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, words_for_it in words.items():
        table.add_row(words_for_it, _whole(counts[name]))
    return table


def _spreads(title: str, words: Mapping[str, str], spreads: Mapping[str, Spread]) -> Table:
    table = Table("", title=title)
    for name in ("p50", "p95", "n"):
        table.add_column(name, justify="right")
    for name, words_for_it in words.items():
        one = spreads[name]
        cells = [f"{cell} ms" for cell in _two(one)] if one.n else ["–", "–"]
        table.add_row(words_for_it, *cells, str(one.n))
    return table


def _two(one: Spread) -> tuple[str, str]:
    digits = 2 if one.p50 < 20 else 0
    return f"{one.p50:.{digits}f}", f"{one.p95:.{digits}f}"


def _whole(number: float) -> str:
    return f"{number:,.0f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
