"""The way of fully bidirectional models: a canvas in place, between prefix and suffix."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.errors import UsageError
from midfill.inference.fillers.at_once import fills_at_once
from midfill.inference.fillers.attempts import attempts, shown_if
from midfill.inference.fillers.believed_text import believed_text
from midfill.inference.fillers.finishing import Middle, final_of, finished, is_new
from midfill.inference.fillers.in_place_hole import HowToFill, InPlaceHole
from midfill.inference.fillers.in_place_layout import LaidOut, lay_out, most_tokens, shown
from midfill.inference.in_place.choosing_slots import SlotChooser
from midfill.inference.last_fills import LastFills
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.dtypes import dtype_of
from midfill.inference.models.options import Start, need_same_weights, with_smaller_canvas
from midfill.inference.models.quantised.quantise import quantise
from midfill.inference.samplers.build import sampler_of
from midfill.inference.wire import CacheFigures, Draft, Final, InfillRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from midfill.inference.fillers.filler import Run
    from midfill.inference.models.absorbing.checkpoint import AbsorbingCheckpoint
    from midfill.inference.models.options import Options
    from midfill.inference.models.reference import ModelReference
    from midfill.inference.progress import ProgressListener
    from midfill.inference.wire_prompt import ShownPrompt

MOST_AT_ONCE = 8
"""Fills at most that share passes: so many short holes fill one, and fewer of longer ones."""


def open_in_place(
    folder: Path, reference: ModelReference, device: torch.device, listener: ProgressListener
) -> InPlaceFiller:
    """Read a checkpoint of the absorbing-mask family.

    Raises:
        MidfillError: it is damaged, not supported, or its options ask for what it cannot do.
    """
    options = reference.options
    checkpoint = read_checkpoint(
        folder,
        dtype=dtype_of(options.weights, device),
        device=device,
        listener=listener,
        quantisation=lambda layer: quantise(layer, options.weights, device),
    )
    model = BidirectionalModel(
        checkpoint.backbone,
        mask=checkpoint.tokens.mask,
        shift=checkpoint.shift,
        longest=checkpoint.longest,
        steps=CapturedSteps(device),
    )
    return InPlaceFiller(checkpoint, model, options, reference.name)


class InPlaceFiller:
    """A `Filler` with a fully bidirectional model.

    Nothing is encoded from one request to the next: what the model computes of the text around the
    hole depends on what stands in the hole. What was written is kept where it may be believed.

    Attributes:
        fills_at_once: fills that share the model's passes.

    Args:
        checkpoint: what was read.
        model: its backbone, ready to predict.
        options: how it is to fill.
        name: the model's.

    Raises:
        UsageError: the options ask for what the model cannot do.
    """

    def __init__(
        self,
        checkpoint: AbsorbingCheckpoint,
        model: BidirectionalModel,
        options: Options,
        name: str,
    ) -> None:
        if options.suffix is not None:
            raise UsageError(
                f"model option suffix={options.suffix}: this model sees the suffix in its place"
            )
        if options.ahead and options.block is None:
            raise UsageError(
                f"model option ahead={options.ahead}: there is no next block without block=SLOTS"
            )
        if options.canvas >= model.longest:
            raise UsageError(
                f"model option canvas={options.canvas}: this model has room for "
                f"{model.longest} tokens in all, choose a smaller canvas"
            )
        self._checkpoint = checkpoint
        self._model = model
        self._name = name
        self._fills = LastFills()
        self._how = HowToFill(
            checkpoint,
            options,
            sampler_of(options.model_copy(update={"block": None})),
            torch.tensor(_banned(checkpoint), dtype=torch.long),
        )
        self._how.length_control()  # refuses what does not fit
        self.fills_at_once = fills_at_once(
            model.device, model.key_bytes(most_tokens(checkpoint, options)), MOST_AT_ONCE
        )

    @property
    def _options(self) -> Options:
        return self._how.options

    def with_options(self, options: Options) -> InPlaceFiller:
        """The same model in memory, filling in another way."""
        need_same_weights(self._options, options)
        return InPlaceFiller(self._checkpoint, self._model, options, self._name)

    def fill(self, request: InfillRequest, run: Run) -> Iterator[Draft | Final]:
        # Another fill may shrink the canvas while this one waits for its turn.
        how = self._how
        laid_out = lay_out(request, self._checkpoint, how.options)
        middles: list[Middle] = []
        with self._model.for_one_fill() as model:
            hole = InPlaceHole(model, how, laid_out, request.limits.tokens, run)
            for temperature, seed in attempts(request, how.options.temperature or 0.0):
                chooser = SlotChooser(temperature, how.options.top_p, seed)
                # What is drawn by chance is not to be what was there before.
                by_chance = bool(temperature or middles)
                believed = [] if by_chance else self._believed(laid_out, request, run.caller)
                middle = yield from shown_if(hole.write(chooser, believed), not middles)
                middle = finished(middle, laid_out.text, request.hole.extent)
                if not middles or is_new(middle, middles):
                    middles.append(middle)
                if len(middles) == request.n or monotonic() >= run.deadline:
                    break
        if how.options.start is Start.BELIEVED:
            self._fills.note(laid_out.text.prefix, middles[0].text, run.caller)
        figures = CacheFigures(hit_tokens=0, new_tokens=laid_out.tokens)
        yield final_of(middles, laid_out.text, self._name, run.watch, figures)

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        laid_out = lay_out(request, self._checkpoint, self._options)
        return shown(laid_out, self._checkpoint, self._name)

    def forget(self) -> None:
        self._model.forget()
        self._fills.clear()

    def forget_caller(self, caller: str) -> None:
        self._fills.forget(caller)
        self._model.forget()  # keys of the text may still stand in the buffers

    def shrink(self) -> bool:
        smaller = with_smaller_canvas(self._options)
        self._how = replace(self._how, options=smaller or self._options)
        return smaller is not None

    def close(self) -> None:
        self.forget()

    def _believed(self, laid_out: LaidOut, request: InfillRequest, caller: str) -> list[int]:
        """Tokens that may well stand in the hole, what its edges have to spell included."""
        if self._options.start is not Start.BELIEVED:
            return []
        text, edges = believed_text(request, laid_out.text, self._fills, caller), laid_out.edges
        if not text:
            return []
        return self._checkpoint.tokenizer.encode(edges.left.decode() + text + edges.right.decode())


def _banned(checkpoint: AbsorbingCheckpoint) -> list[int]:
    """Tokens that may stand in no hole: the family's, and carriage returns.

    Models read and write ``\\n`` line breaks, whatever the document has.
    """
    with_return = (
        token for token, text in enumerate(checkpoint.tokenizer.vocabulary_bytes) if b"\r" in text
    )
    return sorted(checkpoint.banned.union(with_return))
