"""What ``midfill fill`` prints: the file around the hole, with the fill in place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from midfill.inference.errors import EngineUnavailable
from midfill.inference.text.line_breaks import LINE_BREAK, for_model
from midfill.inference.wire import Draft, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LINES_AROUND = 6
TAB_WIDTH = 4
KNOWN, GUESSED, MASKED, GUTTER = "bold green", "italic yellow", "bright_black", "bright_black"
MASK = "░░"
LINE_END = "⏎"
MASKS_OF_A_HOLE = 6


class FillView:
    """Shows one hole of one file: its progress on stderr, its fill on stdout."""

    def __init__(self, path: Path, text: str, start: int, end: int) -> None:
        self._path = path
        self._before, self._replaced, self._after = text[:start], text[start:end], text[end:]
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)

    def show_progress(self, events: Iterable[Draft | Final], *, watch: bool) -> Final:
        """Follow the events to the last one, with the canvas in view if it is to be watched."""
        if not watch:
            return _last(events)
        drafts: list[Draft] = []
        final: Final | None = None
        with Live(console=self._out, auto_refresh=False, transient=True) as live:
            for event in events:
                if isinstance(event, Draft):
                    drafts.append(event)
                    live.update(self.with_draft(event), refresh=True)
                else:
                    final = event
        if not self._out.is_terminal:
            for draft in drafts:
                self._err.print(self.step_line(draft))
        return _last([final] if final else [])

    def print_final(self, final: Final) -> None:
        self._out.print(self.with_final(final), end="")
        for number, alternative in enumerate(final.alternatives, 2):
            self._out.print(Text(f"  or, {number}: ", GUTTER).append(alternative, KNOWN))
        self._err.print(Text(summary(final), GUTTER))

    def with_hole(self) -> Text:
        """The file around the hole before anything is known of it."""
        masks = Text(MASK * MASKS_OF_A_HOLE, MASKED)
        return self._numbered(masks.append("\n" if self._replaced.endswith("\n") else ""))

    def with_draft(self, draft: Draft) -> Text:
        """The file around the hole while it is being denoised."""
        middle = Text(draft.text, KNOWN)
        middle.append(draft.guess, GUESSED).append(MASK * draft.masked, MASKED)
        return self._numbered(middle)

    def with_final(self, final: Final) -> Text:
        """The file around the hole with the fill in place."""
        return self._numbered(Text(for_model(final.text), KNOWN))

    @staticmethod
    def step_line(draft: Draft) -> Text:
        """One step of the canvas on one line."""
        line = Text(f"step {draft.step}: ", GUTTER).append(
            draft.text.replace("\n", LINE_END), KNOWN
        )
        line.append(draft.guess.replace("\n", LINE_END), GUESSED)
        return line.append(MASK * draft.masked, MASKED)

    def _numbered(self, middle: Text) -> Text:
        before = LINE_BREAK.split(self._before.removeprefix("\ufeff"))
        after = LINE_BREAK.split(self._after)
        above, below = before[-1 - LINES_AROUND : -1], after[1 : 1 + LINES_AROUND]
        filled = Text(before[-1]).append_text(middle).append(after[0]).split(allow_blank=True)
        first = len(before) - len(above)
        numbered = Text().append(f"{self._path}\n", GUTTER)
        width = len(str(first + len(above) + len(filled) + len(below)))
        rows = [
            *((" ", Text(line)) for line in above),
            *((">", line) for line in filled),
            *((" ", Text(line)) for line in below),
        ]
        for number, (mark, line) in enumerate(rows, first):
            line.expand_tabs(TAB_WIDTH)
            numbered.append(f"{mark} {number:>{width}} │ ", GUTTER).append_text(line).append("\n")
        return numbered


def print_json(final: Final) -> None:
    """One object on one line."""
    sys.stdout.write(final.model_dump_json() + "\n")


def summary(final: Final) -> str:
    """The figures of a fill in one line."""
    if not final.text.strip():
        return f"{final.model} suggests nothing here ({final.stop})"
    per_step = final.tokens / final.steps
    return (
        f"{final.model}: {final.tokens} tokens in {final.steps} steps ({per_step:.1f} a step), "
        f"{final.ms.total - final.ms.load:.0f} ms, ended by {final.stop}, "
        f"confidence {final.confidence:.2f}"
    )


def _last(events: Iterable[Draft | Final]) -> Final:
    final = None
    for event in events:
        if isinstance(event, Final):
            final = event
    if final is None:
        raise EngineUnavailable("the engine ended without an answer; try again")
    return final
