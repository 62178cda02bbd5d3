"""What is asked and what is answered: holes of known content, and fills of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from midfill.inference.wire import Extent


class HoleKind(StrEnum):
    """How a hole was cut."""

    LINE = "line"
    """One whole line; its line break belongs to the gold middle, and is put back by us."""
    REST_OF_LINE = "rest-of-line"
    """From inside a line to its end; the line break stands in the suffix."""
    LINES = "lines"
    """Several whole lines; the last one's line break is put back by us."""
    SPAN = "span"
    """From anywhere to anywhere."""

    @property
    def extent(self) -> Extent:
        """What the engine is told. That a span may be one line long is not given away."""
        return Extent.LINE if self in (HoleKind.LINE, HoleKind.REST_OF_LINE) else Extent.LINES

    @property
    def whole_lines(self) -> bool:
        return self in (HoleKind.LINE, HoleKind.LINES)


@dataclass(frozen=True, slots=True)
class Problem:
    """One hole.

    Attributes:
        name: its own, unique in the suite.
        task: what it was cut from; rows of one task are not independent.
        prompt, gold, suffix: the text before, in and behind the hole.
        kind: how the hole was cut.
        language: of the text.
        test: what a completed program has to pass, source code; empty where nothing is run.
    """

    name: str
    task: str
    prompt: str
    gold: str
    suffix: str
    kind: HoleKind
    language: str = "python"
    test: str = ""

    @property
    def closing(self) -> str:
        """The line break that ends the gold middle of whole lines, if it has one."""
        return "\n" if self.kind.whole_lines and self.gold.endswith("\n") else ""

    def completion(self, text: str) -> str:
        """What stands in the hole once ``text`` is filled in: whole lines get their break back."""
        return text.rstrip("\n") + self.closing if self.closing else text

    def program(self, text: str) -> str:
        """The program under test; see the benchmark's own harness."""
        return f"{self.prompt}{self.completion(text)}{self.suffix}\n{self.test}"


@dataclass(frozen=True, slots=True)
class Filled:
    """What an arm made of a problem.

    Attributes:
        text: of the hole; without the line break that `Problem.completion` puts back.
        tokens: written, the one that ended the middle included.
        steps: forward passes.
        ms: by the clock, the context's encoding included.
        log_probabilities: of the tokens, in nats, as far as they are known; of ours those that
            the confidence goes by, see `wire.Final`.
        stop: why it ended.
        accepted: for every step that had guesses to verify, how many of them held.
    """

    text: str
    tokens: int
    steps: int
    ms: float
    log_probabilities: tuple[float, ...]
    stop: str
    accepted: tuple[int, ...] = ()
