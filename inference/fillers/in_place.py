"""The way of fully bidirectional models: a canvas in place, between prefix and suffix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.errors import Cancelled, UsageError
from midfill.inference.fillers.attempts import attempts, shown_if
from midfill.inference.fillers.believed_text import believed_text
from midfill.inference.fillers.finishing import Middle, final_of, finished, is_new, starts_of
from midfill.inference.fillers.hole_text import HoleText, hole_text
from midfill.inference.in_place.canvas import Accepted, HoleCanvas
from midfill.inference.in_place.choosing_slots import SlotChooser
from midfill.inference.in_place.edges import Edges, cut_at_edges
from midfill.inference.in_place.lengths.choice import length_control
from midfill.inference.in_place.lengths.control import TimeIsUp
from midfill.inference.in_place.lengths.end_of_middle import EndOfMiddle
from midfill.inference.in_place.starting import keep_what_holds
from midfill.inference.in_place.unmasking import Rules, unmask
from midfill.inference.last_fills import LastFills
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.dtypes import dtype_of
from midfill.inference.models.options import Length, Start, need_same_weights, with_smaller_canvas
from midfill.inference.models.quantised.quantise import quantise
from midfill.inference.prompt import CHARACTERS_PER_TOKEN, prefix_window_start
from midfill.inference.samplers.build import sampler_of
from midfill.inference.text.utf8 import whole_text
from midfill.inference.wire import CacheFigures, Draft, Final, InfillRequest, Stop
from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from midfill.inference.fillers.filler import Run
    from midfill.inference.in_place.lengths.control import LengthControl
    from midfill.inference.in_place.unmasking import UnmaskingStep
    from midfill.inference.models.absorbing.checkpoint import AbsorbingCheckpoint
    from midfill.inference.models.options import Options
    from midfill.inference.models.reference import ModelReference
    from midfill.inference.progress import ProgressListener

AROUND = 2
"""Tokens in front of the prefix and behind the suffix: the beginning and the end of a text."""

MOST_CONTEXT = 1024
"""Tokens of other files at most."""

STEPS_A_SLOT = 4
"""Steps at most for each slot there may be, where slots come and go."""


@dataclass(frozen=True, slots=True)
class _LaidOut:
    """What the model reads on both sides, and what the edges of the hole have to spell."""

    text: HoleText
    context: tuple[int, ...]
    prefix: tuple[int, ...]
    edges: Edges
    suffix: tuple[int, ...]


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

    Args:
        checkpoint: what was read.
        model: its backbone, ready to predict.
        options: how it is to fill.
        name: the model's.

    Raises:
        UsageError: the options ask for what the model cannot do.
    """

    fills_at_once = 1

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
        self._options = options
        self._name = name
        self._sampler = sampler_of(options.model_copy(update={"block": None}))
        self._fills = LastFills()
        self._ends = checkpoint.tokenizer.ends
        tokens = checkpoint.tokens
        self._controls = (tokens.end, tokens.expand, tokens.delete)
        self._banned = torch.tensor(_banned(checkpoint), dtype=torch.long)
        self._length_control()  # refuses what does not fit

    def with_options(self, options: Options) -> InPlaceFiller:
        """The same model in memory, filling in another way."""
        need_same_weights(self._options, options)
        return InPlaceFiller(self._checkpoint, self._model, options, self._name)

    def fill(self, request: InfillRequest, run: Run) -> Iterator[Draft | Final]:
        laid_out = self._lay_out(request)
        middles: list[Middle] = []
        sureties: dict[int, float] = {}
        for temperature, seed in attempts(request, self._options.temperature or 0.0):
            chooser = SlotChooser(temperature, self._options.top_p, seed)
            # What is drawn by chance is not to be what was there before.
            believed = [] if temperature or middles else self._believed(laid_out, request)
            attempt = self._attempt(laid_out, request, run, chooser, sureties, believed)
            middle = yield from shown_if(attempt, not middles)
            middle = finished(middle, laid_out.text, request.hole.extent)
            if not middles or is_new(middle, middles):
                middles.append(middle)
            if len(middles) == request.n or monotonic() >= run.deadline:
                break
        if self._options.start is Start.BELIEVED:
            self._fills.note(laid_out.text.prefix, middles[0].text)
        read = len(laid_out.context) + len(laid_out.prefix) + len(laid_out.suffix)
        figures = CacheFigures(hit_tokens=0, new_tokens=read)
        yield final_of(middles, laid_out.text, self._name, run.watch, figures)

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        laid_out = self._lay_out(request)
        pieces = (
            (PromptPart.CONTEXT, laid_out.context),
            (PromptPart.PREFIX, laid_out.prefix),
            (PromptPart.SUFFIX, laid_out.suffix),
        )
        return ShownPrompt(
            model=self._name,
            pieces=tuple(
                PromptPiece(part=part, text=shown, tokens=len(tokens))
                for part, tokens in pieces
                if (shown := self._shown(tokens))
            ),
            owed=laid_out.edges.left.decode(),
            owed_tokens=1 if laid_out.edges.left else 0,
            owed_behind=laid_out.edges.right.decode(),
        )

    def forget(self) -> None:
        self._model.forget()
        self._fills.clear()

    def shrink(self) -> bool:
        smaller = with_smaller_canvas(self._options)
        self._options = smaller or self._options
        return smaller is not None

    def close(self) -> None:
        self.forget()

    def _attempt(
        self,
        laid_out: _LaidOut,
        request: InfillRequest,
        run: Run,
        chooser: SlotChooser,
        sureties: dict[int, float],
        believed: Sequence[int],
    ) -> Generator[Draft, None, Middle]:
        """One fill.

        Args:
            laid_out, request, run: what is to be filled.
            chooser: picks tokens.
            sureties: by length, as far as they are known; the attempts of a request share them.
            believed: tokens that may well stand in the hole, if any.

        Raises:
            Cancelled: the run was.
        """
        model, control = self._model, self._length_control()
        prefix = (*laid_out.context, *laid_out.prefix)
        least = laid_out.edges.slots
        most = max(least, min(self._options.canvas, request.limits.tokens))
        certain: list[int] = []  # slots that each pass settled

        def score(lengths: Sequence[int]) -> list[float]:
            unknown = [length for length in lengths if length not in sureties]
            if unknown:
                if run.cancelled():
                    raise Cancelled("the request was cancelled")
                if monotonic() >= run.deadline:
                    raise TimeIsUp
                certain.append(0)
                found = model.surety(prefix, unknown, laid_out.suffix)
                sureties.update(zip(unknown, found, strict=True))
            return [sureties[length] for length in lengths]

        rules = Rules(
            sampler=self._sampler,
            chooser=chooser,
            length=control,
            banned=self._banned,
            edges=laid_out.edges,
            ends=self._ends,
            caching=self._options.cache,
            block=self._options.block,
            steps=self._options.steps or STEPS_A_SLOT * most,
            most=most,
            ahead=self._options.ahead,
        )
        started: HoleCanvas | None = None
        if believed and (slots := control.begin_with(believed, least, most)) is not None:
            started = keep_what_holds(model, prefix, slots, laid_out.suffix, rules)
            run.watch.note_step()
            certain.append(self._settled(started) if started else 0)
        canvas = started or HoleCanvas.masked(
            prefix, control.begin(score, least, most), laid_out.suffix
        )
        if not (self._options.steps or control.varies):
            rules = replace(rules, steps=len(canvas.slots))
        stop = Stop.FILLED
        for step in unmask(model, canvas, rules):
            run.watch.note_step()
            certain.append(max(0, self._settled(step.canvas) - self._settled(canvas)))
            canvas = step.canvas
            if run.cancelled():
                raise Cancelled("the request was cancelled")
            if not canvas.settled:
                yield self._draft(step, laid_out.edges, len(certain))
                if monotonic() >= run.deadline:
                    canvas, stop = step.draft, Stop.DEADLINE
                    break
        return self._middle(canvas, laid_out.edges, stop, certain)

    def _believed(self, laid_out: _LaidOut, request: InfillRequest) -> list[int]:
        """Tokens that may well stand in the hole, what its edges have to spell included."""
        if self._options.start is not Start.BELIEVED:
            return []
        text, edges = believed_text(request, laid_out.text, self._fills), laid_out.edges
        if not text:
            return []
        return self._checkpoint.tokenizer.encode(edges.left.decode() + text + edges.right.decode())

    def _middle(
        self, canvas: HoleCanvas, edges: Edges, stop: Stop, certain: Sequence[int]
    ) -> Middle:
        slots, whole = self._text_slots(canvas)
        if stop is Stop.FILLED and not whole:
            stop = Stop.END_TOKEN
        vocabulary = self._checkpoint.tokenizer.vocabulary_bytes
        pieces = [vocabulary[slot.token] for slot in slots]
        inside = edges.inside(b"".join(pieces), whole=whole)
        text = whole_text(inside or b"")
        if inside is None:
            stop = Stop.REFUSED
        elif len(text.encode()) < len(inside) and stop is Stop.FILLED:
            stop = Stop.TOKEN_LIMIT  # bytes that are no character: what stands before them is left
        return Middle(
            text=text,
            stop=stop,
            tokens=len(slots),
            steps=len(certain),
            step_tokens=tuple(certain),
            log_probabilities=tuple(slot.log_probability for slot in slots),
            starts=starts_of(pieces, len(edges.left)),
        )

    def _draft(self, step: UnmaskingStep, edges: Edges, number: int) -> Draft:
        """The settled run at the canvas's start, and behind it what the other slots would hold."""
        text = self._text_so_far(step.canvas, edges)
        drafted = self._text_so_far(step.draft, edges)
        return Draft(
            text=text,
            guess=drafted.removeprefix(text) if drafted.startswith(text) else "",
            masked=len(step.canvas.masked_slots),
            step=number,
        )

    def _text_so_far(self, canvas: HoleCanvas, edges: Edges) -> str:
        slots, whole = self._text_slots(canvas)
        vocabulary = self._checkpoint.tokenizer.vocabulary_bytes
        written = b"".join(vocabulary[slot.token] for slot in slots)
        return whole_text(edges.inside(written, whole=whole) or b"")

    def _settled(self, canvas: HoleCanvas) -> int:
        """How many slots hold text."""
        return sum(slot is not None and slot.token not in self._controls for slot in canvas.slots)

    def _text_slots(self, canvas: HoleCanvas) -> tuple[list[Accepted], bool]:
        """The slots up to the first that is masked or says something about the length.

        Returns:
            They, and whether they are all there are.
        """
        text = list(
            takewhile(
                lambda slot: slot is not None and slot.token not in self._controls, canvas.slots
            )
        )
        return [slot for slot in text if slot is not None], len(text) == len(canvas.slots)

    def _lay_out(self, request: InfillRequest) -> _LaidOut:
        text, tokenizer = hole_text(request), self._checkpoint.tokenizer
        prefix, edges, suffix = cut_at_edges(
            tokenizer, self._ends, text.prefix, text.suffix, right=self._heals_right_edge()
        )
        tokens = self._checkpoint.tokens
        budget = self._model.longest - self._options.canvas - AROUND
        for_suffix = min(self._options.suffix_tokens, budget // 2)
        for_prefix = min(self._options.prefix_tokens, budget - for_suffix)
        near = suffix[: for_suffix * CHARACTERS_PER_TOKEN]
        behind = tokenizer.encode(near)
        if len(near) == len(suffix) and len(behind) <= for_suffix and self._reads_end():
            behind.append(tokens.end)
        elif len(behind) > for_suffix:
            del behind[for_suffix:]
        start = prefix_window_start(tokenizer, prefix, for_prefix) if for_prefix else len(prefix)
        before = tokenizer.encode(prefix[start:])
        room = max(0, min(MOST_CONTEXT, budget - len(behind) - len(before)))
        others = "".join(f"{file.text}\n\n" for file in request.context)
        context = tokenizer.encode(others[: room * CHARACTERS_PER_TOKEN])[:room]
        bos = [] if tokens.bos is None else [tokens.bos]
        return _LaidOut(text, (*bos, *context), tuple(before), edges, tuple(behind))

    def _reads_end(self) -> bool:
        """Whether the model was taught with an end token behind the suffix, as DreamOn was."""
        return self._checkpoint.length is Length.EXPAND_DELETE

    def _heals_right_edge(self) -> bool:
        """Not where slots come and go, or the tail is spent: the last one has no fixed place."""
        control = self._length_control()
        return not control.varies and not isinstance(control, EndOfMiddle)

    def _shown(self, tokens: Sequence[int]) -> str:
        vocabulary = self._checkpoint.tokenizer.vocabulary_bytes
        return b"".join(vocabulary[token] for token in tokens).decode("utf-8", "backslashreplace")

    def _length_control(self) -> LengthControl:
        return length_control(self._options, self._checkpoint.length, self._checkpoint.tokens)


def _banned(checkpoint: AbsorbingCheckpoint) -> list[int]:
    """Tokens that may stand in no hole: the family's, and carriage returns.

    Models read and write ``\\n`` line breaks, whatever the document has.
    """
    with_return = (
        token for token, text in enumerate(checkpoint.tokenizer.vocabulary_bytes) if b"\r" in text
    )
    return sorted(checkpoint.banned.union(with_return))
