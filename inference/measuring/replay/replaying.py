"""The replay: every writer suggests at the same moments, one right after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.measuring.replay.typed_line import TypedLine
    from midfill.inference.measuring.replay.writer import Writer, Written
    from midfill.inference.progress import ProgressListener
    from midfill.inference.wire import InfillRequest

SETTLE = 0.02
"""Seconds between two of them: threads of the last one may spin a while before they sleep."""


class Moment(StrEnum):
    """When a suggestion is asked for."""

    COLD = "cold"
    """At the start of a line, in a document that was never seen."""
    WARM = "warm"
    """A few characters later, in the same line."""


@dataclass(frozen=True, slots=True)
class Key:
    """One request of the replay; all writers get it.

    Attributes:
        line: number of the line among those that are typed.
        round: how often all of them were typed before.
        typed: characters of it.
    """

    line: int
    round: int
    typed: int

    @property
    def moment(self) -> Moment:
        return Moment.WARM if self.typed else Moment.COLD


@dataclass(frozen=True, slots=True)
class Answer:
    """What a writer made of a request.

    Attributes:
        written: the suggestion.
        held: what it suggested just before still stands: what was typed since is its beginning.
    """

    written: Written
    held: bool


@dataclass(slots=True)
class Replay:
    """What was measured so far.

    Attributes:
        lines: those that are typed.
        answers: by the writer's name.
        failures: why a writer was left out from some point on.
        interrupted: whether somebody broke it off.
    """

    lines: Sequence[TypedLine]
    answers: dict[str, dict[Key, Answer]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Typing:
    """How lines are typed.

    Attributes:
        every: characters between two requests.
        most: warm requests of a line at most.
        rounds: how often each line is typed.
        settle: seconds of rest before each suggestion.
    """

    every: int = 4
    most: int = 5
    rounds: int = 1
    settle: float = SETTLE


def replay(
    writers: Sequence[Writer],
    lines: Sequence[TypedLine],
    typing: Typing,
    listener: ProgressListener,
    sleep: Callable[[float], None] = time.sleep,
) -> Replay:
    """Type every line with every writer.

    They take turns in who comes first. Each fills one hole before, which is not counted. Ctrl-C
    ends it early; what was measured until then is kept.

    Args:
        writers: the first one has to work; others that fail are left out.
        lines: what is typed.
        typing: how.
        listener: told how far it is.
        sleep: waits so many seconds.

    Raises:
        MidfillError: the first one cannot write.
    """
    found = Replay(lines, {writer.name: {} for writer in writers})
    turn = _Turn(found, list(writers), typing.settle, sleep)
    moments = [
        (line, number, typed)
        for number, line in enumerate(lines)
        for typed in line.strokes(typing.every, typing.most)
    ]
    total, done = typing.rounds * len(moments), 0
    try:
        listener(Progress("warming up"))
        turn.new_line()
        turn.take(lines[0].request(0), None)
        for round_number in range(typing.rounds):
            for line, number, typed in moments:
                listener(Progress("typing", done / total, line.name))
                if typed == 0:
                    turn.new_line()
                turn.take(line.request(typed), Key(number, round_number, typed), line)
                done += 1
    except KeyboardInterrupt:
        found.interrupted = True
    return found


@dataclass(slots=True)
class _Turn:
    """Whose turn it is, and what each suggested last."""

    found: Replay
    writers: list[Writer]
    settle: float
    sleep: Callable[[float], None]
    count: int = 0
    last: dict[str, str] = field(default_factory=dict)
    typed: int = 0

    def new_line(self) -> None:
        self.last, self.typed = {}, 0
        for writer in self.writers:
            writer.new_document()

    def take(self, request: InfillRequest, key: Key | None, line: TypedLine | None = None) -> None:
        """Have everybody answer one request; counted only with a key."""
        first = self.count % len(self.writers)
        self.count += 1
        typed_since = ""
        if key is not None and line is not None:
            start = line.start
            typed_since = line.file.text[start + self.typed : start + key.typed]
            self.typed = key.typed
        for writer in [*self.writers[first:], *self.writers[:first]]:
            self.sleep(self.settle)
            try:
                written = writer.write(request)
            except MidfillError as error:
                if writer is self.writers[0]:
                    raise
                self.found.failures[writer.name] = str(error)
                continue
            before = self.last.get(writer.name, "")
            held = before.startswith(typed_since) and len(before.rstrip()) > len(typed_since) > 0
            self.last[writer.name] = written.text
            if key is not None:
                self.found.answers[writer.name][key] = Answer(written, held)
        self.writers = [writer for writer in self.writers if writer.name not in self.found.failures]
