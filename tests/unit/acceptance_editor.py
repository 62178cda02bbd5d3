"""An editor as a tracker hears it: a document, a clock, and a suggestion at the cursor."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from midfill.lsp.acceptance.edit import Edit, trimmed
from midfill.lsp.acceptance.offer import Circumstances, Offer, Source, Trigger
from midfill.lsp.acceptance.tracker import Tracker

if TYPE_CHECKING:
    from midfill.lsp.acceptance.outcome import Outcome

URI = "file:///a.py"

CIRCUMSTANCES = Circumstances(1e9, "python", Trigger.AUTOMATIC, Source.ENGINE, 0.5, 1, 8)

KEY = 0.15
"""Seconds from one key to the next."""


class TrackedEditor:
    """One window. Positions are in characters; the cursor is marked with ``|``."""

    def __init__(self, text: str = "|", uri: str = URI) -> None:
        self.now = 100.0
        self.outcomes: list[Outcome] = []
        self.tracker = Tracker(self.outcomes.append, lambda: self.now)
        self.uri = uri
        self.cursor = text.index("|")
        self.text = text.replace("|", "", 1)
        self._ids = map(str, count(1))

    def offer(
        self, *texts: str, replacing: str = "", selected: str = "", after: float = 1.0
    ) -> str:
        """Offer a suggestion at the cursor, behind ``replacing``; it stands for a while."""
        name = next(self._ids)
        start = self.cursor - len(replacing)
        assert self.text[start : self.cursor] == replacing
        behind = self.text[self.cursor : self.cursor + 64]
        self.continued = not self.tracker.offered(
            Offer(name, self.uri, 1, start, replacing, texts, CIRCUMSTANCES, selected, behind)
        )
        self.wait(after)
        return name

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tracker.tick()

    def replace(self, start: int, end: int, text: str) -> Edit:
        """Edit the text and say nothing; the cursor goes behind what is written."""
        edit = trimmed(Edit(start, end, text), self.text[start:end])
        self.text = self.text[:start] + text + self.text[end:]
        self.cursor = start + len(text)
        return edit

    def edit(self, start: int, end: int, text: str) -> None:
        self.tracker.changed(self.uri, [self.replace(start, end, text)])

    def insert(self, text: str) -> None:
        """Insert at the cursor at once."""
        self.edit(self.cursor, self.cursor, text)

    def type(self, text: str) -> None:
        """Type key by key."""
        for key in text:
            self.wait(KEY)
            self.insert(key)

    def backspace(self, times: int = 1) -> None:
        for _ in range(times):
            self.wait(KEY)
            self.edit(self.cursor - 1, self.cursor, "")

    def end(self) -> Outcome:
        """Wait until the one suggestion's outcome is known."""
        if not self.outcomes:
            self.wait(2)
        if not self.outcomes:
            self.wait(28)
        [outcome] = self.outcomes
        return outcome
