"""What the language server itself costs: edits in a long file, before an engine that costs nothing.

At each of three places a line is begun, what is suggested there typed through in part, something
else typed, and the line deleted again; over and over. Every key is an edit and a request, sent at
once, and timed until the answer. While the engine is at work the clock stands still, and the server
is told not to wait for a pause.
"""

from __future__ import annotations

import asyncio
import bisect
import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .document import Document
from .editor import Editor, answered
from .figures import Spread, spread
from .places import NoPlace, ends_of_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .connection import Asked

ENGINE = (sys.executable, "-P", str(Path(__file__).with_name("instant_engine.py")))
SETTINGS = {"delay": 0}

THROUGH = 8
"""Keys of a suggestion that are typed."""

OTHER_KEYS = "qxzjk"
"""Typed instead of what is suggested."""

PAUSE = 0.04
"""Seconds between two keys, about; shorter than any person's, longer than what is measured."""

FIRST = "the first request after opening"
ASKED = "an edit, the engine asked"
THROUGH_KEY = "a key typed through"
DELETED = "a deletion, nothing asked"
EDIT_ALONE = "an edit alone"
NO_DOCUMENT = "a request about no document"

TARGETS = {ASKED: (5.0, 15.0), THROUGH_KEY: (3.0, None)}
"""Milliseconds, p50 and p95."""

SAME = 1.2
"""An edit at the end may cost so many times what it costs at the top, or"""
SAME_MS = 0.5
"""so much more, and counts as the same."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed answer, on the monotonic clock."""

    kind: str
    place: str
    began: float
    ended: float


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


@dataclass(slots=True)
class Round:
    """The edits at one place.

    Attributes:
        empty: rounds in which there was no suggestion to type through.
    """

    editor: Editor
    document: Document
    place: str
    samples: list[Sample] = field(default_factory=list)
    empty: int = 0

    async def go(self, at: int, number: int) -> None:
        """Begin a line behind an offset, and leave the document as it was."""
        line = self.document.text[self.document.text.rfind("\n", 0, at) + 1 : at]
        indent = line[: len(line) - len(line.lstrip())]
        text = await self._key(ASKED, at, at, f"\n{indent}")
        end = at + 1 + len(indent)
        for key in text[:THROUGH]:
            rest = await self._key(THROUGH_KEY, end, end, key)
            end += 1
            if not rest:
                break
        self.empty += not text
        if text:
            await self._key(ASKED, end, end, OTHER_KEYS[number % len(OTHER_KEYS)])
            end += 1
        await self._key(DELETED, at, end, "")
        await self._alone(at)

    async def first(self, at: int) -> None:
        """The first request, which reads all of the file's syntax."""
        await self._timed(FIRST, self.editor.ask(self.document, at))

    async def _key(self, kind: str, start: int, end: int, text: str) -> str:
        self.editor.edit(self.document, start, end, text)
        asked = self.editor.ask(self.document, start + len(text))
        return await self._timed(kind, asked)

    async def _alone(self, at: int) -> None:
        """An edit, and how long until a request that asks for nothing is answered behind it."""
        elsewhere = {"line": 0, "character": 0}
        self.editor.edit(self.document, at, at, " ")
        await self._timed(EDIT_ALONE, self.editor.ask_about("untitled:none", elsewhere))
        self.editor.edit(self.document, at, at + 1, "")
        await asyncio.sleep(PAUSE)
        await self._timed(NO_DOCUMENT, self.editor.ask_about("untitled:none", elsewhere))

    async def _timed(self, kind: str, asked: Asked) -> str:
        reply = await answered(asked)
        self.samples.append(Sample(kind, self.place, asked.at, reply.at))
        await asyncio.sleep(PAUSE * random.uniform(0.8, 1.2))
        return _text(reply.result)


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
    engine = await asyncio.create_subprocess_exec(
        *ENGINE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=dict(environment),
    )
    assert engine.stdout is not None
    assert engine.stdin is not None
    await engine.stdout.readline()
    busy: list[tuple[float, float]] = []
    listening = asyncio.create_task(_listen(engine.stdout, busy))
    editor = await Editor.start(scratch, environment, SETTINGS)
    try:
        await editor.ready()
        samples = await _all_rounds(editor, text, rounds, tell)
    finally:
        await editor.leave()
        engine.stdin.close()
        await engine.wait()
        await listening
    return summed_up(samples, busy, text)


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


async def _listen(output: asyncio.StreamReader, busy: list[tuple[float, float]]) -> None:
    while line := await output.readline():
        began, ended = json.loads(line)
        busy.append((began, ended))


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
        milliseconds = 1e3 * (sample.ended - sample.began - _busy_during(sample, busy))
        by_place = times.setdefault(sample.kind, {})
        for place in (sample.place, "all"):
            by_place.setdefault(place, []).append(milliseconds)
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


def _busy_during(sample: Sample, busy: Sequence[tuple[float, float]]) -> float:
    first = max(bisect.bisect(busy, (sample.began,)) - 1, 0)
    last = bisect.bisect(busy, (sample.ended,))
    return sum(
        max(min(end, sample.ended) - max(begin, sample.began), 0.0)
        for begin, end in busy[first:last]
    )


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


def _text(result: Any) -> str:  # noqa: ANN401
    items = result.get("items", []) if isinstance(result, dict) else []
    return str(items[0]["insertText"]) if items else ""
