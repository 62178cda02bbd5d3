"""A training run, round by round: roll contexts out, train on them, measure, save."""

from __future__ import annotations

import json
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.models.embedded.adapter import tensor_shapes
from midfill.inference.progress import Progress, nobody_listens
from midfill.inference.training.acceptance import Acceptance, measure_acceptance
from midfill.inference.training.checkpoint import (
    RunState,
    need_same_shapes,
    read_checkpoint,
    write_checkpoint,
)
from midfill.inference.training.errors import CheckpointUnusable
from midfill.inference.training.export import export_adapter
from midfill.inference.training.guessable import most_frequent_tokens
from midfill.inference.training.learning_curve import draw_learning_curve
from midfill.inference.training.optimiser import Optimiser, distance_weights, guess_loss
from midfill.inference.training.recipe import Recipe
from midfill.inference.training.rollout import Teacher
from midfill.inference.training.student import Student, initial_parameters
from midfill.inference.training.whole_file import written_whole
from midfill.inference.training.windows import WindowSource

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.embedded.adapter import AdapterFile
    from midfill.inference.models.embedded.architecture import Architecture
    from midfill.inference.models.embedded.weights import Base
    from midfill.inference.progress import ProgressListener
    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.training.corpus.source_text import Corpus
    from midfill.inference.training.rollout import Rollout

SMOOTHED_LOSS = 0.95
ADAPTER = "adapter.safetensors"
CURVE = "learning_curve.png"
HISTORY = "history.json"

SAID_EVERY = 15.0
"""Seconds between two progress lines."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        before: held-out figures of the adapter it started from.
        after: of the adapter it exported.
    """

    targets: int
    before: Acceptance
    after: Acceptance


class Run:
    """One training run in one folder; going on with it is creating it again.

    A run that was interrupted goes on from the last round that was finished, and ends with the same
    weights as if it had not been.
    """

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        folder: Path,
        base: Base,
        architecture: Architecture,
        tokenizer: Tokenizer,
        *,
        shipped: AdapterFile | None = None,
        listener: ProgressListener = nobody_listens,
    ) -> None:
        """
        Args:
            recipe: of the run.
            corpus: to train on and to measure on.
            folder: the run's, which exists.
            base: the frozen model.
            architecture: its shape.
            tokenizer: its tokenizer.
            shipped: the adapter to start from, where the recipe says so.
            listener: told what is done; what it raises breaks the run off.

        Raises:
            CheckpointUnusable: the folder holds the checkpoint of another recipe.
            CorpusUnusable: the corpus has nothing for this recipe.
        """
        self._recipe = recipe
        self._folder = folder
        self._listener = listener
        self._message = "reading the corpus"
        self._said_at = 0.0
        self._timed_targets = 0
        self._windows = WindowSource(corpus.train, recipe.data, tokenizer)
        self._held_out_windows = WindowSource(
            corpus.held_out or corpus.train, recipe.data, tokenizer
        )
        self._teacher = Teacher(base, architecture, recipe.shape.entry_layer)
        self.state = self._resumed(architecture) or self._begun(
            corpus, architecture, tokenizer, shipped
        )
        self._timed_targets = self.state.targets
        self._student = Student(
            base, architecture, recipe.shape, self.state.parameters, self.state.guess_tokens
        )
        self._averaged_student = Student(
            base, architecture, recipe.shape, self.state.averaged, self.state.guess_tokens
        )
        self._rank_of = torch.full((architecture.vocabulary,), -1)
        self._rank_of[self.state.guess_tokens] = torch.arange(len(self.state.guess_tokens))
        self._weights = distance_weights(recipe.optimisation, recipe.shape.masks)
        self._optimiser = Optimiser(self.state, recipe.optimisation)
        self._held_out: Rollout | None = None

    def _resumed(self, architecture: Architecture) -> RunState | None:
        state = read_checkpoint(self._folder)
        if state is None:
            return None
        shape = self._recipe.shape
        expected = tensor_shapes(
            architecture,
            entry_layer=shape.entry_layer,
            rank=shape.rank,
            masks=shape.masks,
            sampler_width=shape.sampler_width,
        )
        need_same_shapes(
            state, {name: torch.Size(size) for name, size in expected.items()}, self._folder
        )
        theirs = Recipe.model_validate_json(state.recipe)
        if _all_but_schedule(theirs) != _all_but_schedule(self._recipe):
            raise CheckpointUnusable(
                f"the checkpoint in {self._folder} is of another recipe: go on with its own "
                "(only how long the run is may change), or name another folder by --out"
            )
        state.recipe = self._recipe.model_dump_json()
        return state

    def _begun(
        self,
        corpus: Corpus,
        architecture: Architecture,
        tokenizer: Tokenizer,
        shipped: AdapterFile | None,
    ) -> RunState:
        recipe = self._recipe
        if recipe.start == "shipped":
            assert shipped is not None
            guess_tokens = shipped.tensors["guess_tokens"].long()
            parameters = {
                name: tensor.float().clone()
                for name, tensor in shipped.tensors.items()
                if name != "guess_tokens"
            }
        else:
            self._message = "counting tokens"
            guess_tokens = most_frequent_tokens(
                corpus.train,
                recipe.data.languages,
                tokenizer,
                vocabulary=architecture.vocabulary,
                count=recipe.shape.guessable,
                working=self._working,
            )
            parameters = initial_parameters(recipe.shape, architecture, recipe.seed)
        averaged = {name: tensor.clone() for name, tensor in parameters.items()}
        return RunState(recipe.model_dump_json(), parameters, averaged, guess_tokens)

    def finish(self) -> Outcome:
        """Train to the recipe's end, saving after each round, and export the adapter.

        Raises:
            NoSpace: the disk is full; the last checkpoint is still there.
        """
        state, recipe = self.state, self._recipe
        if not state.history:
            self._measure(None)
        loss: float | None = None
        while state.targets < recipe.optimisation.targets:
            started = monotonic()
            loss = self._train_round(loss)
            state.rounds += 1
            state.seconds += monotonic() - started
            self._timed_targets = state.targets
            if state.targets - state.history[-1]["targets"] >= recipe.held_out.every:
                self._measure(loss)
            write_checkpoint(self._folder, state)
        if state.history[-1]["targets"] != state.targets:
            self._measure(loss)
        write_checkpoint(self._folder, state)
        return Outcome(state.targets, _acceptance(state, 0), _acceptance(state, -1))

    def _train_round(self, loss: float | None) -> float:
        recipe, state = self._recipe.optimisation, self.state
        self._say(loss, "encoding contexts")
        rollout = self._rollout(
            self._windows,
            f"{self._recipe.seed}/{state.rounds}",
            self._recipe.data.windows_per_round,
        )
        masks = self._recipe.shape.masks
        places = rollout.places - masks
        groups = recipe.windows * recipe.places
        steps = max(1, round(recipe.passes * rollout.windows * places / groups))
        drawing = torch.Generator().manual_seed(self._recipe.seed * 1_000_003 + state.rounds)
        for _ in range(steps):
            windows = torch.randperm(rollout.windows, generator=drawing)[: recipe.windows]
            chosen = torch.stack(
                [torch.randperm(places, generator=drawing)[: recipe.places] for _ in windows]
            )
            now = guess_loss(
                self._student.logits(rollout, windows, chosen),
                self._student.targets(rollout, windows, chosen),
                self._rank_of,
                self._weights,
            )
            now.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            state.targets += chosen.numel() * masks
            value = float(now.detach())
            loss = value if loss is None else SMOOTHED_LOSS * loss + (1 - SMOOTHED_LOSS) * value
            self._say(loss, "training")
            self._working()
            if state.targets >= recipe.targets:
                break
        assert loss is not None
        return loss

    def _rollout(self, source: WindowSource, seed: str, count: int) -> Rollout:
        data = self._recipe.data
        sizes = self._recipe.held_out.sizes if source is self._held_out_windows else None
        windows = source.round(seed, count, sizes)
        contexts = [window[: -(data.continuation + 1)] for window in windows]
        if data.targets == "greedy" or source is self._held_out_windows:
            return self._teacher.greedy(contexts, data.continuation, self._working)
        following = [window[-(data.continuation + 1) :] for window in windows]
        return self._teacher.forced(contexts, following, self._working)

    def _measure(self, loss: float | None) -> None:
        """Measure the averaged adapter, note it, draw the curve and export what there is."""
        self._say(loss, "measuring")
        if self._held_out is None:
            count = self._recipe.held_out.windows
            self._held_out = self._rollout(self._held_out_windows, "held-out", count)
        figures = measure_acceptance(
            self._averaged_student, self._held_out, self.state.guess_tokens, self._working
        )
        self.state.history.append(
            {
                "targets": self.state.targets,
                "seconds": round(self.state.seconds, 1),
                "loss": None if loss is None else round(loss, 4),
                "right": [round(share, 4) for share in figures.right],
                "tokens_per_step": [round(tokens, 4) for tokens in figures.tokens_per_step],
            }
        )
        export_adapter(self._folder / ADAPTER, self.state, self._recipe.shape)
        draw_learning_curve(self._folder / CURVE, self.state.history)
        with written_whole(self._folder / HISTORY) as partial:
            partial.write_text(json.dumps(self.state.history, indent=1) + "\n", "utf-8")
        self._say(loss, "measured", at_once=True)
        self._working()

    def _say(self, loss: float | None, doing: str, *, at_once: bool = False) -> None:
        """Put a new progress line up, not too often."""
        if not at_once and monotonic() - self._said_at < SAID_EVERY:
            return
        self._said_at = monotonic()
        state, total = self.state, self._recipe.optimisation.targets
        parts = [f"{state.targets:,} of {total:,} targets", doing]
        if loss is not None:
            parts.append(f"loss {loss:.3f}")
        if state.history:
            last = state.history[-1]
            parts.append(
                f"held-out: 1st guess {last['right'][0]:.1%}, "
                f"{last['tokens_per_step'][-1]:.2f} tokens a step"
            )
        if state.seconds:
            pace = self._timed_targets / state.seconds
            parts.append(f"{pace:.0f} targets/s, {_minutes((total - state.targets) / pace)} left")
        self._message = ", ".join(parts)

    def _working(self) -> None:
        state = getattr(self, "state", None)
        done = state.targets / self._recipe.optimisation.targets if state else None
        self._listener(Progress(self._message, done))


def _minutes(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _acceptance(state: RunState, index: int) -> Acceptance:
    figures = state.history[index]
    return Acceptance(tuple(figures["right"]), tuple(figures["tokens_per_step"]))


def _all_but_schedule(recipe: Recipe) -> Recipe:
    """A recipe whose length does not count: a run may be made longer or shorter on its way."""
    defaults = Recipe().optimisation
    same = {"targets": defaults.targets, "decay": defaults.decay}
    return recipe.model_copy(update={"optimisation": recipe.optimisation.model_copy(update=same)})
