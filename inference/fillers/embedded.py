"""The embedded model's way to fill: guesses behind the cursor, verified in the next step."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from midfill.inference.choosing import chooser
from midfill.inference.errors import Cancelled, UsageError
from midfill.inference.fillers.attempts import attempts, shown_if
from midfill.inference.fillers.embedded_start import Source, finder, start_of
from midfill.inference.fillers.hole_text import HoleText, hole_text
from midfill.inference.filling import EndDoubts, Fill, Task, fill_hole
from midfill.inference.last_fills import LastFills
from midfill.inference.next_windows import NextWindows, Typist
from midfill.inference.prefix_cache import CONTEXT_BYTES, PrefixCache
from midfill.inference.prompt import Prompt, build_prompt
from midfill.inference.prompt_view import shown_prompt
from midfill.inference.shared_steps import fills_sharing
from midfill.inference.stopping import Surroundings
from midfill.inference.text.line_breaks import in_document
from midfill.inference.wire import CacheFigures, Draft, Final, InfillRequest, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from midfill.inference.context_cache import ContextCache
    from midfill.inference.fillers.filler import Run
    from midfill.inference.models.interface import CanvasPredictions
    from midfill.inference.models.loading import LoadedModel
    from midfill.inference.models.options import Options
    from midfill.inference.stopwatch import Stopwatch
    from midfill.inference.wire_prompt import ShownPrompt

ENCODE_CHUNK, CHUNK_BESIDE_OTHERS = 256, 16
"""Tokens encoded between two looks at whether the request is still wanted; and while other fills
wait for their turn."""

FILLS_AT_ONCE = 8
"""More gain little: from some dozen slots on, a step takes longer by as much as it holds more."""

SPARE_ROOM = 160
"""Slots kept free behind a new context, for its middle and for what is typed next."""

SUFFIX_START = 200
"""Characters of the suffix that the end head looks at, at most."""


class EmbeddedFiller:
    """A `Filler` with the embedded model.

    Attributes:
        loaded: the model and what belongs to it.
        contexts: what is encoded of the documents worked on.
        fills: what was written last, for when something behind the hole or in another file has
            changed, so that none of the context that it followed is left.
        next_windows: what will have to be encoded soon.
    """

    fills_at_once = FILLS_AT_ONCE

    def __init__(self, loaded: LoadedModel, name: str, context_bytes: int = CONTEXT_BYTES) -> None:
        """Args:
        context_bytes: what the contexts of all documents may hold; about 13 MB each with full
            windows.
        """
        self.loaded = loaded
        self.contexts = PrefixCache(context_bytes)
        self.fills = LastFills()
        self.next_windows = NextWindows(loaded.model, loaded.tokenizer, room=SPARE_ROOM)
        self._name = name

    def with_options(self, options: Options) -> EmbeddedFiller:
        raise UsageError("the embedded model takes no options")

    @contextmanager
    def all_guesses(self) -> Iterator[None]:
        """Make all guesses and look nothing up, so that steps are the same on every machine."""
        usual, self.loaded = self.loaded, replace(self.loaded, pace=None)
        try:
            yield
        finally:
            self.loaded = usual

    def forget(self) -> None:
        self.contexts.clear()
        self.fills.clear()
        self.next_windows.clear()

    def forget_caller(self, caller: str) -> None:
        self.contexts.forget(caller)
        self.fills.forget(caller)
        self.next_windows.forget(caller)

    def encode_ahead(self) -> bool:
        return self.next_windows.encode_piece()

    def shrink(self) -> bool:
        return False  # the canvas is as small as it gets

    def close(self) -> None:
        pass

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        laid_out = _lay_out(self.loaded, request)
        return shown_prompt(self.loaded.tokenizer, laid_out.prompt, self._name)

    def fill(self, request: InfillRequest, run: Run) -> Iterator[Draft | Final]:
        loaded = self.loaded
        laid_out = _lay_out(loaded, request)
        text = laid_out.text
        prompt = laid_out.prompt
        task = Task(
            text.prefix,
            text.suffix,
            text.replaced,
            request.hole.extent,
            prompt.owed,
            request.limits.tokens,
            run.deadline,
        )
        if (ahead := self.next_windows.take(prompt.tokens, run.caller)) is not None:
            self.contexts.put(ahead, run.caller)
        cache, believed = self.contexts.take(
            prompt.tokens,
            lambda: loaded.model.new_cache(len(prompt.tokens) + SPARE_ROOM),
            run.caller,
        )
        hits = len(cache)
        if request.temperature > 0:
            believed, left = [], ""  # written by chance, and not to be repeated by it
        else:
            left = self.fills.left(text.prefix, run.caller)
        doubts = _end_doubts(loaded, task)
        try:
            _encode_all_but_last_chunk(loaded, cache, prompt.tokens, run.cancelled)
            fills: list[Fill] = []
            for temperature, seed in attempts(request):
                find = finder(loaded, prompt)
                start = start_of(loaded, prompt, believed, left, find)
                attempt = _watched(
                    fill_hole(
                        loaded.model,
                        loaded.vocabulary,
                        cache,
                        prompt.tokens[len(cache) :],
                        task,
                        choose=chooser(temperature, seed),
                        masks=min(loaded.masks, loaded.pace.guesses(fills_sharing()))
                        if loaded.pace
                        else loaded.masks,
                        believed=start.tokens,
                        trusted=start.trusted,
                        cancelled=run.cancelled,
                        doubts=doubts,
                        calibration=loaded.calibration,
                        find=find,
                    ),
                    run.watch,
                )
                fill = yield from shown_if(attempt, not fills)
                if fill is None:
                    raise Cancelled("the request was cancelled")
                if loaded.pace:
                    loaded.pace.note(fill.verified)
                    loaded.pace.note_found(fill.found)
                    if start.source is Source.CONTEXT:
                        loaded.pace.note_belief(fill.believed[:1])
                    elif start.source is Source.LOOKUP:
                        loaded.pace.note_started(fill.believed[:1])
                if not fills or _is_new(fill, fills):
                    fills.append(fill)
                if len(fills) == request.n or monotonic() >= run.deadline:
                    break
                cache.crop(len(prompt.tokens) - 1)
                believed, left = [], ""
            cache.believe([*prompt.tokens, *fills[0].written])
            written = b"".join(map(loaded.vocabulary.bytes_of, fills[0].written))
            believable = written[len(prompt.owed) :].decode(errors="ignore")
            self.fills.note(text.prefix, believable, run.caller)
        finally:
            self.contexts.put(cache, run.caller)
        if 2 * hits > len(prompt.tokens):  # who only looks in somewhere may be gone soon
            self.next_windows.note(
                Typist(run.caller, text.prefix, text.suffix, request.context, prompt.tokens)
            )
        best = fills[0]
        yield Final(
            text=in_document(best.text, text.line_break),
            alternatives=tuple(in_document(fill.text, text.line_break) for fill in fills[1:]),
            confidence=best.confidence,
            log_probabilities=tuple(round(value, 6) for value in best.log_probabilities),
            stop=best.stop,
            model=self._name,
            tokens=len(best.written),
            steps=best.steps,
            step_tokens=best.step_tokens,
            ms=run.watch.figures(),
            cache=CacheFigures(hit_tokens=hits, new_tokens=len(prompt.tokens) - hits),
        )


@dataclass(frozen=True, slots=True)
class _LaidOut:
    """A request's text, and the prompt that is made of it."""

    text: HoleText
    prompt: Prompt


def _lay_out(loaded: LoadedModel, request: InfillRequest) -> _LaidOut:
    text = hole_text(request)
    prompt = build_prompt(loaded.tokenizer, text.prefix, text.suffix, request.context)
    return _LaidOut(text, prompt)


def _encode_all_but_last_chunk(
    loaded: LoadedModel, cache: ContextCache, tokens: Sequence[int], cancelled: Callable[[], bool]
) -> None:
    """Encode what is new, but leave a last chunk of at least one token for the first step."""
    while True:
        chunk = CHUNK_BESIDE_OTHERS if fills_sharing() > 1 else ENCODE_CHUNK
        if len(tokens) - len(cache) <= chunk:
            return
        if cancelled():
            raise Cancelled("the request was cancelled")
        loaded.model.encode(tokens[len(cache) : len(cache) + chunk], cache)


def _end_doubts(loaded: LoadedModel, task: Task) -> EndDoubts | None:
    """Who says where a middle of several lines may have ended; the end of one line is plain."""
    head = loaded.end_head
    if head is None or not task.extent.several_lines or not task.suffix.strip():
        return None
    tokens = loaded.tokenizer.encode(task.suffix[:SUFFIX_START])
    around = Surroundings.of(task.prefix, task.suffix, task.extent, task.replaced)
    in_line = bool(around.line_after.strip())

    def chances(predictions: CanvasPredictions) -> tuple[float, ...]:
        states, logits = predictions.known_states, predictions.logits
        return tuple(head.probability(states, logits, tokens, in_line=in_line).tolist())

    return EndDoubts(chances, head.bars)


def _is_new(fill: Fill, fills: Sequence[Fill]) -> bool:
    """Whether a fill is whole and shows something that no other does.

    White space around it does not count.
    """
    shown = fill.text.strip()
    whole = fill.stop is not Stop.DEADLINE
    return whole and bool(shown) and shown not in {other.text.strip() for other in fills}


def _watched(
    fill: Generator[Draft, None, Fill | None], watch: Stopwatch
) -> Generator[Draft, None, Fill | None]:
    """Note when steps are done."""
    try:
        while True:
            draft = next(fill)
            watch.note_step()
            yield draft
    except StopIteration as end:
        finished: Fill | None = end.value
        return finished
