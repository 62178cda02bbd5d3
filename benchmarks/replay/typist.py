"""Somebody who types traces into an editor in real time, and takes suggestions that are right."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .accepting import resume, still_wanted, taken_of
from .human import NOTICING, reading_seconds
from .tally import Fate, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from midfill.inference.measuring.language_server.connection import Asked
    from midfill.inference.measuring.language_server.document import Document
    from midfill.inference.measuring.language_server.editor import Editor

    from .tally import Tally
    from .trace import Run, Trace


BETWEEN_FILES = 1.0
"""Seconds from the last key in a file to the next file."""


@dataclass(frozen=True, slots=True)
class OnScreen:
    """A suggestion that is shown, less what has been typed of it.

    Attributes:
        since: when it came up, on the monotonic clock.
        read: somebody has looked at it and decided against it.
    """

    text: str
    since: float
    read: bool
    command: Mapping[str, Any] | None = None


class Typist:
    """Replays traces, one after the other.

    A suggestion that has been on the screen for `NOTICING` seconds when the next key is due is
    read, once; if it is right, or its first line is, that is accepted.
    """

    def __init__(self, editor: Editor, tally: Tally, until: float) -> None:
        """
        Args:
            until: when to stop, on the monotonic clock.
        """
        self._editor = editor
        self._tally = tally
        self._until = until
        self._asked: Asked | None = None
        self._screen: OnScreen | None = None
        self._rest = ""

    @property
    def time_is_up(self) -> bool:
        return time.monotonic() >= self._until

    async def replay(self, trace: Trace, document: Document) -> None:
        """Type one trace into its document, which is open; stops early when time is up.

        Raises:
            RuntimeError: the document does not end as the trace does.
        """
        for run in trace.runs:
            await self._type(run, document)
        await self._look(time.monotonic() + BETWEEN_FILES)
        self._leave()
        if self.time_is_up:
            return
        self._tally.traces += 1
        if document.text != trace.after:
            raise RuntimeError(f"the replay of {trace.path} went wrong: a fault of the benchmark")

    async def _type(self, run: Run, document: Document) -> None:
        number, state = 0, run.removed
        last = time.monotonic()
        while number < len(run.strokes) and not self.time_is_up:
            stroke = run.strokes[number]
            due = max(last + stroke.seconds, time.monotonic())
            await self._look(due)
            if number == 0:
                self._leave()
            wanted = still_wanted(run, state)
            taken = await self._read(wanted, due) if wanted else ""
            cursor = run.start + len(state)
            if taken:
                resumption = resume(run, number, state + taken)
                self._accept(document, cursor, taken, resumption.owed)
                self._tally.spared += resumption.stroke - number
                state += taken + resumption.owed
                number = resumption.stroke
            else:
                self._press(document, cursor, stroke.back, stroke.text)
                state = state[: len(state) - stroke.back] + stroke.text
                number += 1
            last = time.monotonic()
            self._ask(document, run.start + len(state))

    async def _look(self, until: float) -> None:
        """Wait, and see what comes up meanwhile."""
        if self._asked:
            waiting = max(until - time.monotonic(), 0.0)
            await asyncio.wait([self._asked.reply], timeout=waiting)
            if self._asked.reply.done():
                self._hear(self._asked)
                self._asked = None
        await asyncio.sleep(max(until - time.monotonic(), 0.0))

    def _hear(self, asked: Asked) -> None:
        reply = asked.reply.result()
        item = _first_item(reply.result)
        milliseconds = 1e3 * (reply.at - asked.at)
        text = item["insertText"] if item else ""
        rest, self._rest = self._rest, ""
        if not item:
            self._screen = None
            self._tally.requests.append(Request(Fate.NOTHING, milliseconds))
            return
        if self._screen and self._screen.text == text:
            self._screen = replace(self._screen, command=item.get("command"))
        else:
            self._screen = OnScreen(text, reply.at, read=False, command=item.get("command"))
            self._tally.suggestions += 1
        typed_through = bool(rest) and text == rest
        self._tally.requests.append(Request(Fate.IN_TIME, milliseconds, typed_through))

    async def _read(self, wanted: str, due: float) -> str:
        """Read what is on the screen if there was time to see it; what of it is taken."""
        shown = self._screen
        if shown is None or shown.read or due - shown.since < NOTICING:
            return ""
        self._tally.read += 1
        ready = shown.since + NOTICING + reading_seconds(shown.text, wanted)
        await asyncio.sleep(max(ready - time.monotonic(), 0.0))
        self._screen = replace(shown, read=True)
        return taken_of(shown.text, wanted)

    def _accept(self, document: Document, cursor: int, taken: str, owed: str) -> None:
        shown = self._screen
        assert shown is not None
        self._rest = ""
        self._screen = None
        self._editor.edit(document, cursor, cursor, taken)
        self._overtake()
        if shown.command and taken == shown.text:
            self._editor.run(shown.command)
        if owed:
            end = cursor + len(taken)
            self._editor.edit(document, end, end, owed)
        self._tally.acceptances += 1
        self._tally.in_part += taken != shown.text
        self._tally.accepted += len(taken)
        self._tally.written += len(taken) + len(owed)

    def _press(self, document: Document, cursor: int, back: int, text: str) -> None:
        self._rest = ""
        shown, self._screen = self._screen, None
        if shown and not back and shown.text.startswith(text) and shown.text != text:
            self._screen = replace(shown, text=shown.text[len(text) :])
            self._rest = self._screen.text
        self._editor.edit(document, cursor - back, cursor, text)
        self._overtake()
        self._tally.keys += 1
        self._tally.written += len(text)

    def _ask(self, document: Document, cursor: int) -> None:
        self._asked = self._editor.ask(document, cursor)

    def _overtake(self) -> None:
        """What has not been answered by now is of no use any more."""
        if self._asked:
            self._editor.cancel(self._asked)
            self._asked = None
            self._tally.requests.append(Request(Fate.OVERTAKEN, None))

    def _leave(self) -> None:
        """Put the cursor elsewhere."""
        self._overtake()
        self._rest = ""
        self._screen = None


def _first_item(result: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """The suggestion that an editor would show; the server answers with a list of them."""
    items = result.get("items", []) if isinstance(result, dict) else result or []
    if not items:
        return None
    item: dict[str, Any] = items[0]
    return item if _goes_in_at_the_cursor(item) else None


def _goes_in_at_the_cursor(item: Mapping[str, Any]) -> bool:
    span = item.get("range")
    return isinstance(item.get("insertText"), str) and (not span or span["start"] == span["end"])
