"""Filling one hole once: from the denoising loop's tokens to a finished piece of text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from math import exp
from time import monotonic
from typing import TYPE_CHECKING

from midfill.inference.denoising import denoise
from midfill.inference.healing import Healing
from midfill.inference.samplers.agreement import accept_agreement
from midfill.inference.stopping import Surroundings, find_end, finished_part
from midfill.inference.text.seam import end_lines, join_to_rest_of_line
from midfill.inference.wire import Draft, Extent, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from midfill.inference.choosing import Chooser
    from midfill.inference.context_cache import ContextCache
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
        confidence: geometric mean of their probabilities.
    """

    text: str
    stop: Stop
    written: tuple[int, ...]
    steps: int
    confidence: float


@dataclass(slots=True)
class _Middle:
    """The middle as far as it is certain."""

    vocabulary: Vocabulary
    owed: int
    written: int = 0
    text: str = ""
    log_probability: float = 0.0
    tokens: list[int] = field(default_factory=list)
    # Bytes that are no UTF-8 are dropped; an incomplete character waits for its other bytes.
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("ignore")
    )

    def append(self, token: int, log_probability: float) -> None:
        self.tokens.append(token)
        self.log_probability += log_probability
        piece = self.vocabulary.bytes_of(token)
        repeated = min(max(self.owed - self.written, 0), len(piece))
        self.written += len(piece)
        self.text += self._decoder.decode(piece[repeated:])

    def with_guesses(self, guesses: Iterable[int]) -> str:
        """What the guesses would add to the text, up to the first that stands for no text."""
        added = b""
        for token in guesses:
            if not (piece := self.vocabulary.bytes_of(token)):
                break
            added += piece
        return added[max(self.owed - self.written, 0) :].decode(errors="ignore")


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
) -> Generator[Draft, None, Fill | None]:
    """Fill a hole, yielding a draft after each denoising step.

    Args:
        model: the model.
        vocabulary: its tokens' bytes; a token without any ends the middle.
        cache: what is encoded of the context.
        uncached: the context's last tokens that are not; at least one.
        task: the hole.
        choose: picks tokens from logits.
        masks: guesses made at each step.
        believed: tokens that may well follow the context; the first guesses.
        cancelled: asked between steps.

    Returns:
        The fill; nothing if cancelled.
    """
    around = Surroundings.of(task.prefix, task.suffix, task.extent, task.replaced)
    middle = _Middle(vocabulary, len(task.owed))
    steps = denoise(
        model,
        cache,
        uncached,
        sampler=accept_agreement,
        choose=choose,
        healing=Healing(vocabulary, task.owed),
        masks=masks,
        believed=believed,
    )
    for number, step in enumerate(steps, 1):
        # Token by token, so that the outcome does not depend on how many a step accepts.
        for token, log_probability in zip(step.tokens, step.log_probabilities, strict=True):
            middle.append(token, log_probability)
            if stop := _stop(middle, token, task, around):
                return _finish(middle, stop, number, task, around)
        yield Draft(
            text=middle.text,
            guess=middle.with_guesses(step.guesses),
            masked=masks,
            step=number,
        )
        if cancelled():
            return None
        if monotonic() >= task.deadline:
            middle.text = finished_part(middle.text, task.extent)
            return _finish(middle, Stop.DEADLINE, number, task, around)
    raise AssertionError("the denoising loop never ends by itself")


def _stop(middle: _Middle, token: int, task: Task, around: Surroundings) -> Stop | None:
    """Whether the middle ends with this token; cuts it where it ends."""
    if not middle.vocabulary.bytes_of(token):
        return Stop.END_TOKEN
    if ending := find_end(middle.text, around, task.extent):
        middle.text = middle.text[: ending.at]
        return ending.stop
    if len(middle.tokens) >= task.max_tokens:
        middle.text = finished_part(middle.text, task.extent)
        return Stop.TOKEN_LIMIT
    return None


def _finish(middle: _Middle, stop: Stop, steps: int, task: Task, around: Surroundings) -> Fill:
    return Fill(
        text=_joined(middle.text, stop, task, around),
        stop=stop,
        written=tuple(middle.tokens),
        steps=steps,
        confidence=exp(middle.log_probability / len(middle.tokens)),
    )


def _joined(text: str, stop: Stop, task: Task, around: Surroundings) -> str:
    """The middle as it goes in between; empty if it would garble the line it ends on."""
    if stop is Stop.REST_OF_LINE:
        return text
    if not around.line_after.strip():
        return end_lines(text, with_break=around.brings_break)
    if task.extent is Extent.LINE:
        text = text.partition("\n")[0]
    first_lines, line_break, last_line = text.rpartition("\n")
    joined = join_to_rest_of_line(last_line, around.line_after)
    return "" if joined is None else first_lines + line_break + joined
