"""DiffusionGemma's way to fill: a canvas behind a cached context, denoised as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.errors import Cancelled, WeightsCorrupt
from midfill.inference.fillers.attempts import attempts, shown_if
from midfill.inference.fillers.finishing import Middle, final_of, finished, is_new
from midfill.inference.fillers.hole_text import HoleText, hole_text
from midfill.inference.in_place.edges import Edges, cut_at_edges
from midfill.inference.models.diffusion_gemma.answer import Form, read_answer, tokens_spelling
from midfill.inference.models.diffusion_gemma.context import ContextStore
from midfill.inference.models.diffusion_gemma.loading import FOR_THE_TASK, load_model
from midfill.inference.models.diffusion_gemma.markers import Markers
from midfill.inference.models.diffusion_gemma.prompt import (
    PINNED_SHARE,
    Prompt,
    Windows,
    build_prompt,
    shown_prompt,
)
from midfill.inference.models.diffusion_gemma.rule import denoising_rule, refuse_useless
from midfill.inference.models.hub_tokenizer import HubTokenizer
from midfill.inference.models.options import (
    Length,
    SuffixView,
    need_same_weights,
    with_smaller_canvas,
)
from midfill.inference.stopping import Surroundings, find_end
from midfill.inference.uniform.bans import Bans
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.uniform.denoising import denoise
from midfill.inference.uniform.length_search import search_length
from midfill.inference.uniform.row_progress import RowProgress
from midfill.inference.wire import CacheFigures, Draft, Final, InfillRequest, Stop

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.fillers.filler import Run
    from midfill.inference.models.diffusion_gemma.context import EncodedContext
    from midfill.inference.models.diffusion_gemma.loading import LoadedNetwork
    from midfill.inference.models.options import Options
    from midfill.inference.models.reference import ModelReference
    from midfill.inference.progress import ProgressListener
    from midfill.inference.uniform.denoising import DenoisingRule
    from midfill.inference.wire_prompt import ShownPrompt

CACHE_BYTES = 2**30
"""What the contexts of all documents may hold; about 330 MB each with full windows in bfloat16."""

MOST_CONTEXT = 1024
"""Tokens of other files at most."""


def open_diffusion_gemma(
    folder: Path, reference: ModelReference, device: torch.device, listener: ProgressListener
) -> DiffusionGemmaFiller:
    """Load DiffusionGemma from a folder.

    Raises:
        MidfillError: it is damaged or not supported, or its options ask for what it cannot do.
    """
    options = reference.options
    refuse_useless(options)
    tokenizer = HubTokenizer(folder)
    markers = Markers.of(tokenizer, folder)
    loaded = load_model(folder, options, device, listener)
    if any(tokenizer.vocabulary_bytes[loaded.model.vocabulary :]):
        raise WeightsCorrupt(
            f"the tokenizer in {folder} has {tokenizer.size} tokens, but the model only "
            f"{loaded.model.vocabulary}; they are not of the same model"
        )
    return DiffusionGemmaFiller(loaded, tokenizer, markers, options, reference.name)


class DiffusionGemmaFiller:
    """A `Filler` with DiffusionGemma.

    Attributes:
        contexts: what is encoded of the documents worked on.

    Args:
        loaded: the model, and how it was published to denoise.
        tokenizer: its own.
        markers: the tokenizer's.
        options: how it is to fill.
        name: the model's.

    Raises:
        UsageError: the options ask for what the model cannot do.
    """

    def __init__(
        self,
        loaded: LoadedNetwork,
        tokenizer: HubTokenizer,
        markers: Markers,
        options: Options,
        name: str,
    ) -> None:
        refuse_useless(options)
        self.contexts = ContextStore(CACHE_BYTES)
        self._loaded = loaded
        self._model = loaded.model
        self._tokenizer = tokenizer
        self._markers = markers
        self._options = options
        self._view = options.suffix or SuffixView.PROMPT
        self._rule = denoising_rule(loaded.published, options)
        self._name = name
        self._ends = tokenizer.ends
        is_text = torch.tensor([bool(text) for text in tokenizer.vocabulary_bytes])
        self._no_text = torch.ones(self._model.vocabulary, dtype=torch.bool)
        self._no_text[: len(is_text)] = ~is_text[: self._model.vocabulary]

    def with_options(self, options: Options) -> DiffusionGemmaFiller:
        """The same model in memory, filling in another way."""
        need_same_weights(self._options, options)
        return DiffusionGemmaFiller(
            self._loaded, self._tokenizer, self._markers, options, self._name
        )

    def forget(self) -> None:
        self.contexts.clear()

    def shrink(self) -> bool:
        smaller = with_smaller_canvas(self._options)
        self._options = smaller or self._options
        return smaller is not None

    def close(self) -> None:
        self.forget()

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        laid_out = self._lay_out(request)
        shown = shown_prompt(self._tokenizer, self._markers, laid_out.prompt, self._name)
        owed = laid_out.edges.left.decode()
        return shown.model_copy(
            update={"owed": owed, "owed_tokens": len(self._tokenizer.encode(owed))}
        )

    def fill(self, request: InfillRequest, run: Run) -> Iterator[Draft | Final]:
        laid_out = self._lay_out(request)
        tokens = laid_out.prompt.tokens
        context = self.contexts.take(tokens, self._model.new_context)
        hits = len(context)
        middles: list[Middle] = []
        try:
            self._model.encode(tokens[hits:], context, lambda: _go_on(run))
            for temperature, seed in attempts(request):
                attempt = _Attempt(laid_out, context, run, self._rule_at(temperature), seed)
                written = yield from shown_if(self._written(attempt), not middles)
                context.crop(len(tokens))
                middle = self._finished(written, laid_out)
                if not middles or is_new(middle, middles):
                    middles.append(middle)
                if len(middles) == request.n or monotonic() >= run.deadline:
                    break
        finally:
            context.crop(len(tokens))
            self.contexts.put(context)
        figures = CacheFigures(hit_tokens=hits, new_tokens=len(tokens) - hits)
        yield final_of(middles, laid_out.text, self._name, run.watch, figures)

    def _written(self, attempt: _Attempt) -> Generator[Draft, None, _Written]:
        if self._view is SuffixView.PROMPT:
            return self._answered(attempt)
        return self._led_up(attempt)

    def _led_up(self, attempt: _Attempt) -> Generator[Draft, None, _Written]:
        """Fill one canvas that ends with pinned text; every free slot is part of the middle."""
        laid_out, run = attempt.laid_out, attempt.run
        pinned = laid_out.prompt.pinned
        model, bans = self._model.behind(attempt.context), self._bans(laid_out.edges)
        length = max(
            laid_out.edges.slots,
            min(self._options.canvas - len(pinned), laid_out.request.limits.tokens),
        )
        passes = 0
        if self._options.length is not Length.FIXED:
            found = search_length(model, pinned, length, self._generator(attempt.seed), bans)
            length, passes = found.length, found.passes
            _go_on(run)
        canvas = UniformCanvas.before([length], pinned, self._model.device)
        progress = RowProgress()
        stop = Stop.FILLED
        generators = [self._generator(attempt.seed)]
        for step in denoise(model, canvas, attempt.rule, generators, bans):
            progress.take(step, length)
            run.watch.note_step()
            _go_on(run)
            yield self._draft(
                laid_out,
                self._inside(laid_out.edges, progress.settled),
                self._inside(laid_out.edges, progress.best),
                progress.unsettled,
                passes + step.number,
            )
            if monotonic() >= run.deadline and not bool(step.done.all()):
                stop = Stop.DEADLINE
                break
        return _Written(
            progress.best,
            self._inside(laid_out.edges, progress.best),
            stop,
            tokens=length,
            steps=passes + progress.steps,
            log_probabilities=progress.log_probabilities,
        )

    def _answered(self, attempt: _Attempt) -> Generator[Draft, None, _Written]:
        """Fill canvas after canvas with an answer, until it ends or says enough."""
        laid_out, run, request = attempt.laid_out, attempt.run, attempt.laid_out.request
        tokenizer, markers, width = self._tokenizer, self._markers, self._options.canvas
        canvas = UniformCanvas.blank(width, self._model.device)
        generators = [self._generator(attempt.seed)]
        ids: list[int] = []
        log_probabilities: list[float] = []
        passes = 0
        stop: Stop | None = None
        while True:
            progress = RowProgress()
            model = self._model.behind(attempt.context)
            for step in denoise(model, canvas, attempt.rule, generators, self._answer_bans()):
                progress.take(step, width)
                run.watch.note_step()
                _go_on(run)
                yield self._draft(
                    laid_out,
                    read_answer(tokenizer, markers, [*ids, *progress.settled]).text,
                    read_answer(tokenizer, markers, [*ids, *progress.best]).text,
                    progress.unsettled,
                    passes + step.number,
                )
                if monotonic() >= run.deadline and not bool(step.done.all()):
                    stop = Stop.DEADLINE
                    break
            passes += progress.steps
            ids += progress.best
            log_probabilities += progress.log_probabilities
            answer = read_answer(tokenizer, markers, ids)
            text = answer.text
            if answer.form is Form.REFUSED:
                text, stop = "", stop or Stop.REFUSED
            elif answer.form is Form.FINISHED:
                stop = stop or Stop.END_TOKEN
            if answer.tokens > request.limits.tokens and text:
                text = tokenizer.decode(ids[: request.limits.tokens])
                stop = Stop.TOKEN_LIMIT
            if stop is None and find_end(text, laid_out.around, request.hole.extent):
                stop = Stop.FILLED
            room = self._model.positions - len(attempt.context) - width
            if stop is None and (len(ids) >= request.limits.tokens or room < width):
                stop = Stop.TOKEN_LIMIT
            if stop is not None:
                return _Written(
                    ids,
                    text,
                    stop,
                    tokens=min(answer.tokens, request.limits.tokens),
                    steps=passes,
                    log_probabilities=log_probabilities,
                )
            self._model.encode(progress.best, attempt.context, lambda: _go_on(run))

    def _finished(self, written: _Written, laid_out: _LaidOut) -> Middle:
        """Cut at its end; of its tokens' probabilities, those of what is left and of one more."""
        middle = finished(
            Middle(written.text, written.stop, written.tokens, written.steps),
            laid_out.text,
            laid_out.request.hole.extent,
        )
        spelled = laid_out.edges.left + middle.text.encode()
        used = tokens_spelling(self._tokenizer, written.ids, spelled) + 1
        return replace(middle, log_probabilities=tuple(written.log_probabilities[:used]))

    def _draft(
        self, laid_out: _LaidOut, settled: str, whole: str, unsettled: int, step: int
    ) -> Draft:
        """What the canvas says now, up to where the middle would end."""
        if ending := find_end(whole, laid_out.around, laid_out.request.hole.extent):
            whole = whole[: ending.at]
        text = settled if whole.startswith(settled) else whole
        return Draft(text=text, guess=whole[len(text) :], masked=unsettled, step=step)

    def _inside(self, edges: Edges, ids: Sequence[int]) -> str:
        """What the slots say behind the word that the hole begins in."""
        inside = edges.inside(b"".join(map(self._tokenizer.token_bytes, ids)))
        return "" if inside is None else inside.decode(errors="ignore")

    def _lay_out(self, request: InfillRequest) -> _LaidOut:
        text = hole_text(request)
        options, prefix, edges = self._options, text.prefix, Edges()
        if self._view is not SuffixView.PROMPT:
            prefix, edges, _ = cut_at_edges(
                self._tokenizer, self._ends, text.prefix, text.suffix, right=False
            )
        rest = options.prefix_tokens + options.suffix_tokens + options.canvas + FOR_THE_TASK
        prompt = build_prompt(
            self._tokenizer,
            self._markers,
            self._view,
            prefix,
            text.suffix,
            request.context,
            Windows(
                options.prefix_tokens,
                options.suffix_tokens,
                min(MOST_CONTEXT, self._model.positions - rest),
            ),
            options.canvas // PINNED_SHARE,
        )
        around = Surroundings.of(text.prefix, text.suffix, request.hole.extent, text.replaced)
        return _LaidOut(request, text, around, prompt, edges)

    def _bans(self, edges: Edges) -> Bans:
        """In a canvas that is all middle nothing but text may be written."""
        first: Tensor | None = None
        if edges.left:
            first = torch.ones_like(self._no_text)
            first[self._ends.beginning_with(edges.left)] = False
            first = (first | self._no_text).to(self._model.device)
        return Bans(self._no_text.to(self._model.device), first)

    def _answer_bans(self) -> Bans:
        """An answer ends, but it does not think, begin turns or show pictures."""
        banned = self._no_text.clone()
        banned[sorted(self._markers.endings)] = False
        return Bans(banned.to(self._model.device))

    def _rule_at(self, temperature: float) -> DenoisingRule:
        if temperature == 0:
            return self._rule
        schedule = self._rule.temperature.beginning_at(temperature)
        return replace(self._rule, temperature=schedule, greedy=False)

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self._model.device).manual_seed(seed)


@dataclass(frozen=True, slots=True)
class _LaidOut:
    """A request's text, the prompt that is made of it, and the word that its hole begins in."""

    request: InfillRequest
    text: HoleText
    around: Surroundings
    prompt: Prompt
    edges: Edges


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One way to fill a hole whose context is encoded."""

    laid_out: _LaidOut
    context: EncodedContext
    run: Run
    rule: DenoisingRule
    seed: int


@dataclass(frozen=True, slots=True)
class _Written:
    """What an attempt wrote.

    Attributes:
        ids: of all slots, whether they are part of the middle or not.
        text: the middle, not cut yet.
        stop: why it ended.
        tokens: of the middle.
        steps: forward passes.
        log_probabilities: of ``ids``.
    """

    ids: Sequence[int]
    text: str
    stop: Stop
    tokens: int
    steps: int
    log_probabilities: Sequence[float]


def _go_on(run: Run) -> None:
    """Asked between steps.

    Raises:
        Cancelled: nobody wants the fill any more.
    """
    if run.cancelled():
        raise Cancelled("the request was cancelled")
