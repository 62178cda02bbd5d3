"""Filling one hole once: from the denoising loop's tokens to a finished piece of text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from itertools import zip_longest
from time import monotonic
from typing import TYPE_CHECKING

from midfill.inference.belief import AT_ONCE, Belief
from midfill.inference.confidence import Evidence, confidence
from midfill.inference.denoising import denoise
from midfill.inference.ending import NOWHERE, LikelyEnd, end_at_limit, likelier_end, overdue_end
from midfill.inference.healing import Healing
from midfill.inference.pace import Verified
from midfill.inference.stopping import Surroundings, find_end, finished_part
from midfill.inference.text.seam import end_lines, join_to_rest_of_line
from midfill.inference.wire import Draft, Extent, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from midfill.inference.choosing import Chooser
    from midfill.inference.confidence import Calibration
    from midfill.inference.context_cache import ContextCache
    from midfill.inference.denoising import EndChances, Finder, Step
    from midfill.inference.ending import Bars
    from midfill.inference.healing import Vocabulary
    from midfill.inference.models.interface import DenoisingModel


@dataclass(frozen=True, slots=True)
class Task:
    """What to fill.

    Attributes:
        prefix, suffix, replaced: text around and in the hole, with ``\\n`` line breaks.
        extent: how far the middle may go.
        owed: bytes at the prefix's end that the model has to write again first.
        max_tokens: the middle's length at most, the owed bytes' tokens included.
        deadline: on the `time.monotonic` clock.
    """

    prefix: str
    suffix: str
    replaced: str
    extent: Extent
    owed: bytes
    max_tokens: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Fill:
    """A finished middle.

    Attributes:
        text: what replaces the hole.
        written: the tokens, from the context's end to the one that ended the middle.
        confidence: the chance that the text is exactly right, where the model is calibrated; else
            the geometric mean of the tokens' probabilities. 0 if there is nothing to see.
        log_probabilities: of the tokens that the text was cut from, and of the one behind them;
            nats.
        verified: how the model's own guesses turned out, step by step.
        found: the same of tokens that were looked up, where all guesses before them were right.
        believed: the same of what was believed at first.
        step_tokens: how many of the written tokens each step made certain.
    """

    text: str
    stop: Stop
    written: tuple[int, ...]
    steps: int
    confidence: float
    log_probabilities: tuple[float, ...]
    verified: tuple[Verified, ...] = ()
    found: tuple[Verified, ...] = ()
    believed: tuple[Verified, ...] = ()
    step_tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EndDoubts:
    """For middles whose end the rules may miss.

    Attributes:
        chances: that the middle ends before each token.
        bars: how likely an end has to be.
    """

    chances: EndChances
    bars: Bars


@dataclass(slots=True)
class _Middle:
    """The middle as far as it is certain."""

    vocabulary: Vocabulary
    owed: int
    written: int = 0
    text: str = ""
    tokens: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    likely_end: LikelyEnd = NOWHERE
    # Bytes that are no UTF-8 are dropped; an incomplete character waits for its other bytes.
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("ignore")
    )

    def append(self, token: int, log_probability: float) -> None:
        self.tokens.append(token)
        self.starts.append(len(self.text))
        self.log_probabilities.append(log_probability)
        piece = self.vocabulary.bytes_of(token)
        repeated = min(max(self.owed - self.written, 0), len(piece))
        self.written += len(piece)
        self.text += self._decoder.decode(piece[repeated:])

    def kept(self) -> tuple[float, ...]:
        """Log-probabilities of the text's tokens, wherever it was cut, and of the one behind."""
        count = sum(start < len(self.text) for start in self.starts)
        return tuple(self.log_probabilities[: count + 1])

    def note_end_chance(self, following: int, chance: float, around: Surroundings) -> None:
        """Take in how likely the middle ends before the token that follows."""
        last, after = (
            self.vocabulary.bytes_of(token).decode(errors="ignore")
            for token in (self.tokens[-1] if self.tokens else following, following)
        )
        self.likely_end = likelier_end(
            self.likely_end, self.text, last, after, chance, len(self.tokens), around
        )

    def with_guesses(self, guesses: Iterable[int]) -> str:
        """What the guesses would add to the text, up to the first that stands for no text."""
        added = b""
        for token in guesses:
            if not (piece := self.vocabulary.bytes_of(token)):
                break
            added += piece
        return added[max(self.owed - self.written, 0) :].decode(errors="ignore")


@dataclass(slots=True)
class _Tally:
    """How what each step put forward turned out in the next, and how many tokens it brought."""

    believed: list[Verified] = field(default_factory=list)
    verified: list[Verified] = field(default_factory=list)
    found: list[Verified] = field(default_factory=list)
    step_tokens: list[int] = field(default_factory=list)
    _believed: int = 0
    _guesses: int = 0
    _found: int = 0

    @classmethod
    def of(cls, belief: Belief) -> _Tally:
        """With what the first step verifies."""
        return cls(_believed=len(belief.tokens[:AT_ONCE]))

    def take(self, step: Step) -> None:
        self.step_tokens.append(len(step.tokens))
        right = len(step.tokens) - 1
        if self._believed:
            self.believed.append(Verified(self._believed, right))
        if self._guesses:
            self.verified.append(Verified(self._guesses, min(right, self._guesses)))
        if self._found and right >= self._guesses:
            self.found.append(Verified(self._found, right - self._guesses))
        self._believed = len(step.believed[:AT_ONCE])
        guesses, found = (0, 0) if self._believed else (len(step.guesses), len(step.found))
        self._guesses, self._found = guesses, found


def fill_hole(
    model: DenoisingModel,
    vocabulary: Vocabulary,
    cache: ContextCache,
    uncached: Sequence[int],
    task: Task,
    *,
    choose: Chooser,
    masks: int,
    believed: Sequence[int],
    cancelled: Callable[[], bool],
    trusted: bool = False,
    doubts: EndDoubts | None = None,
    calibration: Calibration | None = None,
    find: Finder | None = None,
) -> Generator[Draft, None, Fill | None]:
    """Fill a hole, yielding a draft after each denoising step.

    Args:
        model: the model.
        vocabulary: its tokens' bytes; a token without any ends the middle.
        cache: what is encoded of the context.
        uncached: the context's last tokens that are not; at least one.
        task: the hole.
        choose: picks tokens.
        masks: guesses made at each step.
        believed: tokens that may well follow the context; the first guesses.
        cancelled: asked between steps.
        trusted: whether no guesses are made beside these.
        doubts: where the middle may have ended although no rule says so; several lines only.
        calibration: of the model's confidence, if it has one.
        find: looks up what may follow the guesses.

    Returns:
        The fill; nothing if cancelled.
    """
    around = Surroundings.of(task.prefix, task.suffix, task.extent, task.replaced)
    middle = _Middle(vocabulary, len(task.owed))
    belief = _belief(believed, vocabulary, task, around, trusted=trusted)
    steps = denoise(
        model,
        cache,
        uncached,
        choose=choose,
        healing=Healing(vocabulary, task.owed),
        masks=masks,
        belief=belief,
        end_chances=doubts.chances if doubts else None,
        find=find,
    )
    tally = _Tally.of(belief)
    for number, step in enumerate(steps, 1):
        tally.take(step)
        # Token by token, so that the outcome does not depend on how many a step accepts.
        certain = zip_longest(step.tokens, step.log_probabilities, step.end_chances)
        for token, log_probability, end_chance in certain:
            if doubts:
                middle.note_end_chance(token, end_chance, around)
            middle.append(token, log_probability)
            if stop := _stop(middle, token, task, around, doubts):
                return _finish(middle, stop, number, task, around, calibration, tally)
        yield Draft(
            text=middle.text,
            guess=middle.with_guesses(step.believed or step.guesses),
            masked=masks,
            step=number,
        )
        if cancelled():
            return None
        if monotonic() >= task.deadline:
            middle.text = _cut_short(middle, task, doubts)
            return _finish(middle, Stop.DEADLINE, number, task, around, calibration, tally)
    raise AssertionError("the denoising loop never ends by itself")


def _belief(
    tokens: Sequence[int],
    vocabulary: Vocabulary,
    task: Task,
    around: Surroundings,
    *,
    trusted: bool,
) -> Belief:
    """What is believed up to the token that would end the middle, as far as rules say so."""
    middle = _Middle(vocabulary, len(task.owed))
    for index, token in enumerate(tokens):
        middle.append(token, 0.0)
        if _stop(middle, token, task, around, None):
            return Belief(tuple(tokens[:index]), ends=True, trusted=trusted)
    return Belief(tuple(tokens), trusted=trusted)


def _stop(
    middle: _Middle, token: int, task: Task, around: Surroundings, doubts: EndDoubts | None
) -> Stop | None:
    """Whether the middle ends with this token; cuts it where it ends."""
    if not middle.vocabulary.bytes_of(token):
        return Stop.END_TOKEN
    if ending := find_end(middle.text, around, task.extent):
        middle.text = middle.text[: ending.at]
        return ending.stop
    if doubts and (ending := overdue_end(middle.likely_end, len(middle.tokens), doubts.bars)):
        middle.text = middle.text[: ending.at]
        return ending.stop
    if len(middle.tokens) >= task.max_tokens:
        middle.text = _cut_short(middle, task, doubts)
        return Stop.TOKEN_LIMIT
    return None


def _cut_short(middle: _Middle, task: Task, doubts: EndDoubts | None) -> str:
    """What to keep of a middle that a limit cuts short."""
    if doubts and (ending := end_at_limit(middle.likely_end, doubts.bars)):
        return middle.text[: ending.at]
    return finished_part(middle.text, task.extent)


def _finish(
    middle: _Middle,
    stop: Stop,
    steps: int,
    task: Task,
    around: Surroundings,
    calibration: Calibration | None,
    tally: _Tally,
) -> Fill:
    text, log_probabilities = joined(middle.text, stop, task, around), middle.kept()
    before = tally.step_tokens[:-1]
    return Fill(
        text=text,
        stop=stop,
        written=tuple(middle.tokens),
        steps=steps,
        confidence=confidence(Evidence.of(log_probabilities, text, stop, task.extent), calibration),
        log_probabilities=log_probabilities,
        verified=tuple(tally.verified),
        found=tuple(tally.found),
        believed=tuple(tally.believed),
        # What the last step made certain behind the end is not part of it.
        step_tokens=(*before, len(middle.tokens) - sum(before)),
    )


def joined(text: str, stop: Stop, task: Task, around: Surroundings) -> str:
    """The middle as it goes in between; empty if it would garble the line it ends on."""
    if stop is Stop.REST_OF_LINE or (stop is Stop.LIKELY_END and around.line_after.strip()):
        return text
    if not around.line_after.strip():
        return end_lines(text, with_break=around.brings_break)
    if task.extent is Extent.LINE:
        text = text.partition("\n")[0]
    first_lines, line_break, last_line = text.rpartition("\n")
    joined = join_to_rest_of_line(last_line, around.line_after)
    return "" if joined is None else first_lines + line_break + joined
