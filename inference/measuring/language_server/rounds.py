"""Edits at one place of a document, each timed until the answer to the request behind it.

A line is begun, what is suggested there typed through in part, something else typed, and the line
deleted again. Every key is an edit and a request, sent at once. While the engine is at work the
clock stands still.
"""

from __future__ import annotations

import asyncio
import bisect
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from midfill.inference.measuring.language_server.editor import answered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.measuring.language_server.connection import Asked
    from midfill.inference.measuring.language_server.document import Document
    from midfill.inference.measuring.language_server.editor import Editor

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


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed answer, on the monotonic clock."""

    kind: str
    place: str
    began: float
    ended: float


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
        await self.alone(at)

    async def first(self, at: int) -> None:
        """The first request, which reads all of the file's syntax."""
        await self._timed(FIRST, self.editor.ask(self.document, at))

    async def _key(self, kind: str, start: int, end: int, text: str) -> str:
        self.editor.edit(self.document, start, end, text)
        asked = self.editor.ask(self.document, start + len(text))
        return await self._timed(kind, asked)

    async def alone(self, at: int) -> None:
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


def own_ms(sample: Sample, busy: Sequence[tuple[float, float]]) -> float:
    """Milliseconds until an answer, less the time in which the engine was busy.

    Args:
        busy: from when to when, on the samples' clock; in order, and apart from each other.
    """
    first = max(bisect.bisect(busy, (sample.began,)) - 1, 0)
    last = bisect.bisect(busy, (sample.ended,))
    engine = sum(
        max(min(end, sample.ended) - max(begin, sample.began), 0.0)
        for begin, end in busy[first:last]
    )
    return 1e3 * (sample.ended - sample.began - engine)


def _text(result: Any) -> str:  # noqa: ANN401
    items = result.get("items", []) if isinstance(result, dict) else []
    return str(items[0]["insertText"]) if items else ""
