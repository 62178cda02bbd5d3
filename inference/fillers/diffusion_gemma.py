"""DiffusionGemma's way to fill: a canvas behind a cached context, denoised as a whole."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.fillers.answered_prompt import AnsweredPrompt
from midfill.inference.fillers.at_once import fills_at_once
from midfill.inference.fillers.attempts import attempts, shown_if
from midfill.inference.fillers.believed_text import believed_text
from midfill.inference.fillers.finishing import Middle, final_of, finished, is_new
from midfill.inference.fillers.hole_text import hole_text
from midfill.inference.fillers.pinned_canvas import PinnedCanvas
from midfill.inference.fillers.uniform_attempt import Asked, LaidOut
from midfill.inference.in_place.edges import Edges, cut_at_edges
from midfill.inference.last_fills import LastFills
from midfill.inference.models.diffusion_gemma.answer import tokens_spelling
from midfill.inference.models.diffusion_gemma.context import ContextStore
from midfill.inference.models.diffusion_gemma.loading import (
    FOR_THE_TASK,
    load_model,
    read_model_config,
)
from midfill.inference.models.diffusion_gemma.markers import Markers
from midfill.inference.models.diffusion_gemma.prompt import (
    MIDDLE_END,
    PINNED_SHARE,
    Windows,
    build_prompt,
    shown_prompt,
)
from midfill.inference.models.diffusion_gemma.rule import denoising_rule, refuse_useless
from midfill.inference.models.hub_tokenizer import HubTokenizer
from midfill.inference.models.options import (
    Length,
    Start,
    SuffixView,
    need_same_weights,
    with_smaller_canvas,
)
from midfill.inference.stopping import Surroundings
from midfill.inference.uniform.bans import Bans
from midfill.inference.wire import CacheFigures, Draft, Final, InfillRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor
    from transformers import DiffusionGemmaConfig

    from midfill.inference.fillers.filler import Run
    from midfill.inference.fillers.uniform_attempt import WayToFill, Written
    from midfill.inference.models.diffusion_gemma.loading import LoadedNetwork
    from midfill.inference.models.options import Options
    from midfill.inference.models.reference import ModelReference
    from midfill.inference.progress import ProgressListener
    from midfill.inference.uniform.denoising import DenoisingRule
    from midfill.inference.wire_prompt import ShownPrompt

CACHE_BYTES = 2**30
"""What the contexts of all documents may hold, those of the requests under way included.

With the default windows full, one is 526 MiB of keys and values in bfloat16, in buffers of 550 MiB.
Requests under way may have more than that together; how many there are is bounded by what the
device has room for.
"""

MOST_AT_ONCE = 16
"""Fills at most that share steps: with canvases of 64 slots they fill one."""

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
    _refuse_other_tokenizer(tokenizer, markers, read_model_config(folder), folder)
    loaded = load_model(folder, options, device, listener)
    return DiffusionGemmaFiller(loaded, tokenizer, markers, options, reference.name)


class DiffusionGemmaFiller:
    """A `Filler` with DiffusionGemma.

    Attributes:
        contexts: what is encoded of the documents worked on.
        fills_at_once: fills that share the model's steps.

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
        self._fills = LastFills()
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
        longest = options.prefix_tokens + options.suffix_tokens + FOR_THE_TASK + MOST_CONTEXT
        self.fills_at_once = fills_at_once(
            self._model.device,
            self._model.fill_bytes(min(longest, self._model.positions)),
            MOST_AT_ONCE,
        )

    def with_options(self, options: Options) -> DiffusionGemmaFiller:
        """The same model in memory, filling in another way."""
        need_same_weights(self._options, options)
        return DiffusionGemmaFiller(
            self._loaded, self._tokenizer, self._markers, options, self._name
        )

    def forget(self) -> None:
        self.contexts.clear()
        self._fills.clear()
        self._model.forget()

    def forget_caller(self, caller: str) -> None:
        self.contexts.forget(caller)
        self._fills.forget(caller)
        self._model.forget()  # copies of the contexts may still stand in the buffers

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
        # Another fill may shrink the canvas while this one waits for its turn.
        options = self._options
        laid_out = self._lay_out(request)
        tokens = laid_out.prompt.tokens
        context = self.contexts.take(tokens, self._model.new_context, run.caller)
        hits = len(context)
        middles: list[Middle] = []
        asked = Asked(laid_out, context, run)
        try:
            self._model.encode(tokens[hits:], context, asked.go_on)
            way = self._way(asked, options)
            for temperature, seed in attempts(request):
                attempt = way.write(self._rule_at(temperature), seed)
                written = yield from shown_if(attempt, not middles)
                context.crop(len(tokens))
                middle = self._finished(written, laid_out)
                if not middles or is_new(middle, middles):
                    middles.append(middle)
                if len(middles) == request.n or monotonic() >= run.deadline:
                    break
        finally:
            context.crop(len(tokens))
            self.contexts.put(context, run.caller)
        if options.start is Start.BELIEVED:
            self._fills.note(laid_out.text.prefix, middles[0].text, run.caller)
        figures = CacheFigures(hit_tokens=hits, new_tokens=len(tokens) - hits)
        yield final_of(middles, laid_out.text, self._name, run.watch, figures)

    def _way(self, asked: Asked, options: Options) -> WayToFill:
        laid_out = asked.laid_out
        believed = self._believed(laid_out, options, asked.run.caller)
        if self._view is SuffixView.PROMPT:
            return AnsweredPrompt(
                self._model,
                self._tokenizer,
                self._markers,
                asked,
                self._answer_bans(),
                options.canvas,
                believed,
            )
        room = options.canvas - len(laid_out.prompt.pinned)
        return PinnedCanvas(
            self._model,
            self._tokenizer,
            asked,
            self._bans(laid_out.edges),
            max(laid_out.edges.slots, min(room, laid_out.request.limits.tokens)),
            searching=options.length is not Length.FIXED,
            believed=believed,
        )

    def _believed(self, laid_out: LaidOut, options: Options, caller: str) -> list[int]:
        """Tokens that the first canvas may well hold: the middle, or the answer with its end."""
        request = laid_out.request
        if options.start is not Start.BELIEVED or request.temperature:
            return []
        text = believed_text(request, laid_out.text, self._fills, caller)
        if not text:
            return []
        if self._view is SuffixView.PROMPT:
            answer = [*self._tokenizer.encode(text + MIDDLE_END), self._markers.turn_end]
            return answer + [self._markers.pad] * (options.canvas - len(answer))
        return self._tokenizer.encode(laid_out.edges.left.decode() + text)

    def _finished(self, written: Written, laid_out: LaidOut) -> Middle:
        """Cut at its end; of its tokens' probabilities, those of what is left and of one more."""
        middle = finished(
            Middle(written.text, written.stop, written.tokens, written.steps),
            laid_out.text,
            laid_out.request.hole.extent,
        )
        spelled = laid_out.edges.left + middle.text.encode()
        used = tokens_spelling(self._tokenizer, written.ids, spelled) + 1
        return replace(middle, log_probabilities=tuple(written.log_probabilities[:used]))

    def _lay_out(self, request: InfillRequest) -> LaidOut:
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
        return LaidOut(request, text, around, prompt, edges)

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


def _refuse_other_tokenizer(
    tokenizer: HubTokenizer, markers: Markers, config: DiffusionGemmaConfig, folder: Path
) -> None:
    """Raises `WeightsCorrupt` unless the model knows all tokens that may stand in a prompt."""
    vocabulary: int = config.get_text_config().vocab_size
    if any(tokenizer.vocabulary_bytes[vocabulary:]) or max(markers.names) >= vocabulary:
        raise WeightsCorrupt(
            f"the tokenizer in {folder} has {tokenizer.size} tokens, but the model only "
            f"{vocabulary}; they are not of the same model"
        )
