"""The engine: one model, its caches, and the fills it makes.

Not thread-safe: whoever creates it, or one thread on their behalf, owns it.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.choosing import chooser
from midfill.inference.devices import torch_device
from midfill.inference.errors import Cancelled, InvalidText, OutOfMemory
from midfill.inference.filling import EndDoubts, Fill, Task, fill_hole
from midfill.inference.memory_errors import memory_errors
from midfill.inference.models.loading import LoadedModel, load_model, model_name
from midfill.inference.prefix_cache import PrefixCache
from midfill.inference.progress import ProgressListener, nobody_listens
from midfill.inference.prompt import Prompt, build_prompt
from midfill.inference.prompt_view import shown_prompt
from midfill.inference.spare_cores import SpareCores
from midfill.inference.stopping import Surroundings
from midfill.inference.text.line_breaks import for_model, in_document, line_break_of
from midfill.inference.wire import (
    CacheFigures,
    Draft,
    Final,
    InfillRequest,
    Milliseconds,
    Stop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from midfill.inference.context_cache import ContextCache
    from midfill.inference.models.interface import CanvasPredictions
    from midfill.inference.wire_prompt import ShownPrompt

CACHE_BYTES = 48 * 2**20
"""What the caches of all documents may hold; about 13 MB each with full windows."""

ENCODE_CHUNK = 256
"""Tokens encoded between two looks at whether the request is still wanted."""

SPARE_ROOM = 160
"""Slots kept free behind a new context, for its middle and for what is typed next."""

MOST_BELIEVED = 16
"""Tokens of the last middle that are verified in one step while it may still hold."""

SUFFIX_START = 200
"""Characters of the suffix that the end head looks at, at most."""

ALTERNATIVES_TEMPERATURE = 0.8
"""What alternatives are sampled at, at least."""

WARMER = 0.1
"""By how much each attempt at an alternative is warmer than the one before."""


def _never() -> bool:
    return False


@dataclass(slots=True)
class _Stopwatch:
    """Milliseconds of one request by stage."""

    started: float
    load: float = 0.0
    encoded: float | None = None

    def figures(self) -> Milliseconds:
        now = monotonic()
        encoded = self.encoded or now
        return Milliseconds(
            load=1e3 * self.load,
            encode=1e3 * (encoded - self.started - self.load),
            denoise=1e3 * (now - encoded),
            total=1e3 * (now - self.started),
        )


class Engine:
    """Fills holes with one model.

    Attributes:
        model: the model's name.
    """

    def __init__(self, model: str = "embedded", device: str | None = None) -> None:
        """Takes a model's name and a torch device; by default the CPU.

        Nothing is loaded yet.

        Raises:
            UsageError: there is no such model or device.
        """
        self.model = model_name(model)
        self._device = torch_device(device)
        self._loaded: LoadedModel | None = None
        self._contexts = PrefixCache(CACHE_BYTES)
        self._spare_cores = SpareCores(torch.get_num_threads())

    @property
    def loaded(self) -> bool:
        return self._loaded is not None

    def load(self, listener: ProgressListener = nobody_listens) -> None:
        """Load the model, pulling it first where it is missing. Does nothing if it is loaded.

        Raises:
            MidfillError: the weights cannot be had, are damaged, or do not fit.
        """
        if self._loaded is None:
            with memory_errors():
                self._loaded = load_model(self.model, self._device, listener)

    def forget(self) -> None:
        """Let go of every context: some of it is not to be kept any more."""
        self._contexts.clear()

    def unload(self) -> None:
        """Give the model's and the caches' memory back."""
        self._loaded = None
        self.forget()
        gc.collect()

    def infill(
        self, request: InfillRequest, cancelled: Callable[[], bool] = _never
    ) -> Iterator[Draft | Final]:
        """Fill the request's hole: a draft after each denoising step, then the final fill.

        Args:
            request: what to fill.
            cancelled: asked between steps; abandoning the iterator does the same.

        Raises:
            Cancelled: ``cancelled`` said so.
            InvalidText: the text has no UTF-8 form.
            OutOfMemory: the request does not fit; the caches are dropped.
        """
        watch = _Stopwatch(monotonic())
        deadline = watch.started + request.limits.deadline_ms / 1e3
        if self._loaded is None:
            self.load()
            watch.load = monotonic() - watch.started
            deadline += watch.load
        assert self._loaded is not None
        torch.set_num_threads(self._spare_cores.count())
        try:
            with memory_errors():
                yield from self._infill(self._loaded, request, deadline, watch, cancelled)
        except OutOfMemory:
            self._contexts.clear()
            raise

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        """What the model would be given for a request; nothing is filled.

        Raises:
            InvalidText: the text has no UTF-8 form.
            MidfillError: the model cannot be loaded.
        """
        if self._loaded is None:
            self.load()
        assert self._loaded is not None
        laid_out = _lay_out(self._loaded, request)
        return shown_prompt(self._loaded.tokenizer, laid_out.prompt, self.model)

    def _infill(
        self,
        loaded: LoadedModel,
        request: InfillRequest,
        deadline: float,
        watch: _Stopwatch,
        cancelled: Callable[[], bool],
    ) -> Iterator[Draft | Final]:
        laid_out = _lay_out(loaded, request)
        prompt = laid_out.prompt
        task = Task(
            laid_out.prefix,
            laid_out.suffix,
            laid_out.replaced,
            request.hole.extent,
            prompt.owed,
            request.limits.tokens,
            deadline,
        )
        cache, believed = self._contexts.take(
            prompt.tokens, lambda: loaded.model.new_cache(len(prompt.tokens) + SPARE_ROOM)
        )
        hits = len(cache)
        if request.temperature > 0:
            believed = []  # written by chance, and not to be repeated by it
        doubts = _end_doubts(loaded, task)
        try:
            _encode_all_but_last_chunk(loaded, cache, prompt.tokens, cancelled)
            fills: list[Fill] = []
            for temperature, seed in _attempts(request):
                fill = yield from _watched(
                    fill_hole(
                        loaded.model,
                        loaded.vocabulary,
                        cache,
                        prompt.tokens[len(cache) :],
                        task,
                        choose=chooser(temperature, seed),
                        masks=loaded.masks,
                        believed=believed[:MOST_BELIEVED],
                        cancelled=cancelled,
                        doubts=doubts,
                        calibration=loaded.calibration,
                    ),
                    watch,
                    shown=not fills,
                )
                if fill is None:
                    raise Cancelled("the request was cancelled")
                if not fills or _is_new(fill, fills):
                    fills.append(fill)
                if len(fills) == request.n or monotonic() >= deadline:
                    break
                cache.crop(len(prompt.tokens) - 1)
                believed = []
            cache.believe([*prompt.tokens, *fills[0].written])
        finally:
            self._contexts.put(cache)
        line_break = line_break_of(request.prefix + request.suffix)
        best = fills[0]
        yield Final(
            text=in_document(best.text, line_break),
            alternatives=tuple(in_document(fill.text, line_break) for fill in fills[1:]),
            confidence=best.confidence,
            log_probabilities=tuple(round(value, 6) for value in best.log_probabilities),
            stop=best.stop,
            model=self.model,
            tokens=len(best.written),
            steps=best.steps,
            ms=watch.figures(),
            cache=CacheFigures(hit_tokens=hits, new_tokens=len(prompt.tokens) - hits),
        )


@dataclass(frozen=True, slots=True)
class _LaidOut:
    """A request's prompt, and the texts it is made of, with the line breaks that models read."""

    prefix: str
    suffix: str
    replaced: str
    prompt: Prompt


def _lay_out(loaded: LoadedModel, request: InfillRequest) -> _LaidOut:
    text, hole = request.prefix + request.suffix, request.hole
    _refuse_lone_surrogates(text, *(file.text for file in request.context))
    prefix, suffix = for_model(text[: hole.start]), for_model(text[hole.end :])
    prompt = build_prompt(loaded.tokenizer, prefix, suffix, request.context)
    return _LaidOut(prefix, suffix, for_model(text[hole.start : hole.end]), prompt)


def _encode_all_but_last_chunk(
    loaded: LoadedModel, cache: ContextCache, tokens: Sequence[int], cancelled: Callable[[], bool]
) -> None:
    """Encode what is new, but leave a last chunk of at least one token for the first step."""
    while len(tokens) - len(cache) > ENCODE_CHUNK:
        if cancelled():
            raise Cancelled("the request was cancelled")
        loaded.model.encode(tokens[len(cache) : len(cache) + ENCODE_CHUNK], cache)


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


def _attempts(request: InfillRequest) -> Iterator[tuple[float, int]]:
    """Temperature and seed of each attempt.

    Nearly twice as many as asked for, since samples may repeat each other, and each warmer.
    """
    yield request.temperature, request.seed
    for number in range(1, 2 * request.n - 1):
        temperature = max(request.temperature, ALTERNATIVES_TEMPERATURE)
        yield temperature + number * WARMER, request.seed + number


def _watched(
    fill: Generator[Draft, None, Fill | None], watch: _Stopwatch, *, shown: bool
) -> Generator[Draft, None, Fill | None]:
    """Pass drafts on if they are to be shown, and note when the first step is done."""
    try:
        while True:
            draft = next(fill)
            if watch.encoded is None:
                watch.encoded = monotonic()
            if shown:
                yield draft
    except StopIteration as end:
        finished: Fill | None = end.value
        return finished


def _refuse_lone_surrogates(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidText(
                f"the text holds a lone surrogate at character {error.start}, "
                "which has no UTF-8 form; remove it"
            ) from None
