"""Filling one hole in place: the right length, then step after step, from masks or a belief."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from midfill.inference.errors import Cancelled
from midfill.inference.fillers.in_place_text import SlotText
from midfill.inference.in_place.canvas import HoleCanvas
from midfill.inference.in_place.lengths.choice import length_control
from midfill.inference.in_place.lengths.control import TimeIsUp
from midfill.inference.in_place.starting import keep_what_holds
from midfill.inference.in_place.unmasking import Rules, unmask
from midfill.inference.wire import Stop

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from torch import Tensor

    from midfill.inference.fillers.filler import Run
    from midfill.inference.fillers.finishing import Middle
    from midfill.inference.fillers.in_place_layout import LaidOut
    from midfill.inference.in_place.choosing_slots import SlotChooser
    from midfill.inference.in_place.lengths.control import LengthControl
    from midfill.inference.in_place.model import InPlaceModel
    from midfill.inference.models.absorbing.checkpoint import AbsorbingCheckpoint
    from midfill.inference.models.options import Options
    from midfill.inference.samplers.sampler import Sampler
    from midfill.inference.wire import Draft

STEPS_A_SLOT = 4
"""Steps at most for each slot there may be, where slots come and go."""


@dataclass(frozen=True, slots=True)
class HowToFill:
    """What all holes are filled by.

    Attributes:
        checkpoint: whose tokens slots hold.
        options: the model's.
        sampler: says which slots to accept.
        banned: tokens that no slot may hold, (banned,) long.
    """

    checkpoint: AbsorbingCheckpoint
    options: Options
    sampler: Sampler
    banned: Tensor

    def length_control(self) -> LengthControl:
        """One for one attempt.

        Raises:
            UsageError: the model has no tokens for the way that was asked for.
        """
        return length_control(self.options, self.checkpoint.length, self.checkpoint.tokens)


class InPlaceHole:
    """The hole of one request; filled as often as it is asked to.

    Args:
        model: predicts; what it keeps between steps is this hole's alone.
        how: it is filled.
        laid_out: the text around it.
        most: slots that the request allows.
        run: the request on its way.
    """

    def __init__(
        self, model: InPlaceModel, how: HowToFill, laid_out: LaidOut, most: int, run: Run
    ) -> None:
        self._model = model
        self._how = how
        self._laid_out = laid_out
        self._least = laid_out.edges.slots
        self._most = max(self._least, min(how.options.canvas, most))
        self._run = run
        self._text = SlotText(how.checkpoint, laid_out.edges)
        self._prefix = (*laid_out.context, *laid_out.prefix)
        self._sureties: dict[int, float] = {}  # by length, as far as they are known

    def write(
        self, chooser: SlotChooser, believed: Sequence[int]
    ) -> Generator[Draft, None, Middle]:
        """One attempt; a draft after each denoising step.

        Args:
            chooser: picks tokens.
            believed: tokens that may well stand in the hole, if any.

        Raises:
            Cancelled: the run was.
        """
        control, run, text = self._how.length_control(), self._run, self._text
        certain: list[int] = []  # slots that each pass settled

        def score(lengths: Sequence[int]) -> list[float]:
            if self._learn_sureties(lengths):
                certain.append(0)
            return [self._sureties[length] for length in lengths]

        rules = self._rules(chooser, control)
        started: HoleCanvas | None = None
        if (
            believed
            and (slots := control.begin_with(believed, self._least, self._most)) is not None
        ):
            started = keep_what_holds(
                self._model, self._prefix, slots, self._laid_out.suffix, rules
            )
            run.watch.note_step()
            certain.append(text.settled(started) if started else 0)
        canvas = started or HoleCanvas.masked(
            self._prefix, control.begin(score, self._least, self._most), self._laid_out.suffix
        )
        if not (self._how.options.steps or control.varies):
            rules = replace(rules, steps=len(canvas.slots))
        stop = Stop.FILLED
        for step in unmask(self._model, canvas, rules):
            run.watch.note_step()
            certain.append(max(0, text.settled(step.canvas) - text.settled(canvas)))
            canvas = step.canvas
            if run.cancelled():
                raise Cancelled("the request was cancelled")
            if not canvas.settled:
                yield text.draft(step, len(certain))
                if monotonic() >= run.deadline:
                    canvas, stop = step.draft, Stop.DEADLINE
                    break
        return text.middle(canvas, stop, certain)

    def _learn_sureties(self, lengths: Sequence[int]) -> bool:
        """Ask the model about lengths that it has not been asked about; whether there were any.

        Raises:
            Cancelled: the run was.
            TimeIsUp: the deadline has passed.
        """
        unknown = [length for length in lengths if length not in self._sureties]
        if not unknown:
            return False
        if self._run.cancelled():
            raise Cancelled("the request was cancelled")
        if monotonic() >= self._run.deadline:
            raise TimeIsUp
        found = self._model.surety(self._prefix, unknown, self._laid_out.suffix)
        self._sureties.update(zip(unknown, found, strict=True))
        return True

    def _rules(self, chooser: SlotChooser, control: LengthControl) -> Rules:
        how, options = self._how, self._how.options
        return Rules(
            sampler=how.sampler,
            chooser=chooser,
            length=control,
            banned=how.banned,
            edges=self._laid_out.edges,
            ends=how.checkpoint.tokenizer.ends,
            caching=options.cache,
            block=options.block,
            steps=options.steps or STEPS_A_SLOT * self._most,
            most=self._most,
            ahead=options.ahead,
        )
