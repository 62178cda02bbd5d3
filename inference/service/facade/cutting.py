"""Where an answer ends at the latest: at a stop string, at a marker, at a line indented less."""

from __future__ import annotations

from dataclasses import dataclass

from midfill.inference.service.facade.markers import ALL


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left of a text.

    Attributes:
        text: without what ended it.
        stop: the stop string that ended it; empty if another rule did, or none.
        ended: whether anything was cut off.
    """

    text: str
    stop: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Cuts:
    """What ends an answer besides the engine's own rules.

    Attributes:
        stops: none of them is part of the answer, nor what follows it. Not empty strings.
        n_indent: a line behind the first that has fewer blanks and tabs in front is not, either.
    """

    stops: tuple[str, ...] = ()
    n_indent: int = 0

    def apply(self, text: str) -> Cut:
        """A text up to what is the first to end it, however the text comes in."""
        found = [
            (start + len(end), start, end if end in self.stops else "")
            for end in (*self.stops, *ALL)
            if (start := text.find(end)) >= 0
        ]
        if (less_indented := self._less_indented(text)) is not None:
            found.append((*less_indented, ""))
        if not found:
            return Cut(text)
        _, start, stop = min(found)
        kept = text[:start]
        return Cut(kept.removesuffix("\r") if text[start] == "\n" else kept, stop, ended=True)

    def settled(self, text: str) -> str:
        """A text that is not cut, without an end that may yet be cut off."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            tail = text[start:]
            if any(end.startswith(tail) for end in (*self.stops, *ALL)):
                return text[:start].removesuffix("\r")
        return text.removesuffix("\r")

    @property
    def _longest(self) -> int:
        return max(map(len, (*self.stops, *ALL)))

    def _less_indented(self, text: str) -> tuple[int, int] | None:
        """Behind the first visible character of the first such line, and the break before it."""
        at = text.find("\n")
        while self.n_indent > 0 and at >= 0:
            following = text.find("\n", at + 1)
            line = text[at + 1 : following if following >= 0 else None]
            indent = len(line) - len(line.lstrip(" \t"))
            if line.strip() and indent < self.n_indent:
                return at + 1 + indent + 1, at
            at = following
        return None
