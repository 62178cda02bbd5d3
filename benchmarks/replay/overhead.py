"""What the language server itself costs: edits in a long file, before an engine that costs nothing.

At each of three places a line is begun, what is suggested there typed through in part, something
else typed, and the line deleted again; over and over. Every key is an edit and a request, sent at
once, and timed until the answer. While the engine is at work the clock stands still, and the server
is told not to wait for a pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.measuring.language_server.document import Document
from midfill.inference.measuring.language_server.places import NoPlace, ends_of_statements
from midfill.inference.measuring.language_server.rounds import (
    ASKED,
    EDIT_ALONE,
    THROUGH_KEY,
    Round,
    own_ms,
)
from midfill.inference.measuring.language_server.session import instant_session

from .figures import Spread, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from midfill.inference.measuring.language_server.editor import Editor
    from midfill.inference.measuring.language_server.rounds import Sample

TARGETS = {ASKED: (5.0, 15.0), THROUGH_KEY: (3.0, None)}
"""Milliseconds, p50 and p95."""

SAME = 1.2
"""An edit at the end may cost so many times what it costs at the top, or"""
SAME_MS = 0.5
"""so much more, and counts as the same."""


@dataclass(frozen=True, slots=True)
class Overhead:
    """
    Attributes:
        lines: of the file, and its
        characters; the widest of them decides how many
        bytes: each has in the server's memory, and so what a copy of the text costs.
        spreads: by kind, and then by place, where ``all`` is of all three.
        engine: of the engine itself, which is taken off.
    """

    lines: int
    characters: int
    bytes: int
    spreads: Mapping[str, Mapping[str, Spread]]
    engine: Spread


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a target is met."""

    what: str
    target: str
    found: str
    met: bool


async def measure_overhead(
    text: str,
    rounds: int,
    scratch: Path,
    environment: Mapping[str, str],
    tell: Callable[[str], None],
) -> Overhead:
    """Measure in a file of this text.

    Args:
        rounds: at each place.
        scratch: a folder for the server's own files.
        environment: of the server and of the engine.
        tell: hears of the progress.

    Raises:
        ServerGone: the server did not answer.
        NoPlace: it has nothing to say in this text.
    """
    async with instant_session(scratch, environment) as session:
        samples = await _all_rounds(session.editor, text, rounds, tell)
    return summed_up(samples, session.busy, text)


async def _all_rounds(
    editor: Editor, text: str, rounds: int, tell: Callable[[str], None]
) -> list[Sample]:
    """Rounds at all places in turn, so that what else the machine does meets all alike."""
    places = ends_of_statements(text)
    at = {}
    for place in places:
        document = Document(f"untitled:overhead-{place}.py", "python", text)
        editor.open(document)
        at[place] = Round(editor, document, place)
        await at[place].first(places[place])
        await at[place].go(places[place], 0)
        del at[place].samples[1:]  # the first of all kinds are of another kind
    for number in range(rounds):
        for place, one in at.items():
            await one.go(places[place], number)
        tell(f"round {number + 1} of {rounds}")
    empty = sum(one.empty for one in at.values())
    if empty > rounds // 2:
        raise NoPlace("hardly anything is suggested there: there is nothing to type through")
    return [sample for one in at.values() for sample in one.samples]


def summed_up(
    samples: Sequence[Sample], busy: Sequence[tuple[float, float]], text: str
) -> Overhead:
    """Milliseconds of each kind at each place, less the time in which the engine was busy.

    Args:
        text: of the file.
        busy: from when to when, on the samples' clock; in order, and apart from each other.
    """
    times: dict[str, dict[str, list[float]]] = {}
    for sample in samples:
        by_place = times.setdefault(sample.kind, {})
        for place in (sample.place, "all"):
            by_place.setdefault(place, []).append(own_ms(sample, busy))
    spreads = {
        kind: {place: spread(values) for place, values in by_place.items()}
        for kind, by_place in times.items()
    }
    engine = spread(1e3 * (end - begin) for begin, end in busy)
    return Overhead(text.count("\n"), len(text), _width(text), spreads, engine)


def _width(text: str) -> int:
    """Bytes of a character in a string that Python keeps."""
    widest = max(text, default="")
    return 1 if widest <= "\xff" else 2 if widest <= "\uffff" else 4


def verdicts(overhead: Overhead) -> list[Verdict]:
    """The targets, and whether they are met."""
    found = []
    for kind, (middle, high) in TARGETS.items():
        whole = overhead.spreads[kind]["all"]
        found.append(_at_most(f"{kind}, p50", middle, whole.p50))
        if high is not None:
            found.append(_at_most(f"{kind}, p95", high, whole.p95))
    for kind in (ASKED, EDIT_ALONE):
        top, end = (overhead.spreads[kind][place].p50 for place in ("top", "end"))
        found.append(
            Verdict(
                f"{kind}: the same at top and end",
                f"≤ {SAME:g} × or {SAME_MS:g} ms more",
                f"{top:.2f} and {end:.2f} ms",
                end <= max(SAME * top, top + SAME_MS),
            )
        )
    return found


def _at_most(what: str, target: float, value: float) -> Verdict:
    return Verdict(what, f"≤ {target:g} ms", f"{value:.2f} ms", value <= target)
