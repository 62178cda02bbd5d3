"""A training run, round by round: roll contexts out, train on them, measure, save."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import torch
from pydantic import ValidationError

from midfill.inference.errors import MidfillError
from midfill.inference.models.embedded.adapter import tensor_shapes
from midfill.inference.progress import Progress, nobody_listens
from midfill.inference.training.acceptance import Acceptance, measure_acceptance
from midfill.inference.training.checkpoint import (
    START_AGAIN,
    RunState,
    need_same_shapes,
    read_checkpoint,
    write_checkpoint,
)
from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.errors import CheckpointUnusable
from midfill.inference.training.export import export_adapter
from midfill.inference.training.guessable import most_frequent_tokens
from midfill.inference.training.learning_curve import draw_learning_curve
from midfill.inference.training.optimiser import Optimiser, distance_weights, guess_loss
from midfill.inference.training.recipe import Recipe, first_difference
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        targets: trained in all.
        now: of them, trained by this call; none if the run was complete already.
        before: held-out figures of the adapter it started from.
        after: of the adapter it exported.
    """

    targets: int
    now: int
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
        self._windows = WindowSource(corpus.train, recipe.data, tokenizer)
        if not corpus.held_out:
            raise CorpusUnusable(
                "the corpus has no files that are held out, to measure on: build a larger one"
            )
        self._held_out_windows = WindowSource(corpus.held_out, recipe.data, tokenizer)
        self._fingerprint = corpus_fingerprint(corpus)
        self._teacher = Teacher(base, architecture, recipe.shape.entry_layer)
        self.state = self._resumed(architecture) or self._begun(
            corpus, architecture, tokenizer, shipped
        )
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
        self._loss: float | None = None
        self._begun_with, self._begun_at = self.state.targets, monotonic()

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
        if state.corpus not in ("", self._fingerprint):
            raise CheckpointUnusable(
                f"the checkpoint in {self._folder} is of other code, or the code has changed "
                f"since: {START_AGAIN}"
            )
        try:
            theirs = Recipe.model_validate_json(state.recipe)
        except ValidationError:
            raise CheckpointUnusable(
                f"the checkpoint in {self._folder} has a recipe of another version: {START_AGAIN}"
            ) from None
        if difference := first_difference(theirs, self._recipe):
            raise CheckpointUnusable(
                f"the checkpoint in {self._folder} is of another recipe ({difference}): "
                f"go on with its own recipe, {START_AGAIN}"
            )
        state.corpus = self._fingerprint
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
            guess_tokens = most_frequent_tokens(
                corpus.train,
                recipe.data.languages,
                tokenizer,
                vocabulary=architecture.vocabulary,
                count=recipe.shape.guessable,
                working=lambda: self._listener(Progress("counting tokens")),
            )
            parameters = initial_parameters(recipe.shape, architecture, recipe.seed)
        averaged = {name: tensor.clone() for name, tensor in parameters.items()}
        return RunState(
            recipe.model_dump_json(), parameters, averaged, guess_tokens, self._fingerprint
        )

    def finish(self) -> Outcome:
        """Train to the recipe's end, saving after each round, and export the adapter.

        Raises:
            NoSpace: the disk is full; the last checkpoint is still there.
            MidfillError: the loss is no number any more; likewise.
        """
        state, recipe = self.state, self._recipe
        while True:
            complete = state.targets >= recipe.optimisation.targets
            if self._measurement_is_due(complete):
                self._measure()
                write_checkpoint(self._folder, state)
            if complete:
                break
            started = monotonic()
            self._train_round()
            state.rounds += 1
            state.seconds += monotonic() - started
            write_checkpoint(self._folder, state)
        if not (self._folder / ADAPTER).exists():
            export_adapter(self._folder / ADAPTER, state, recipe.shape)
        return Outcome(
            state.targets,
            state.targets - self._begun_with,
            _acceptance(state, 0),
            _acceptance(state, -1),
        )

    def _measurement_is_due(self, complete: bool) -> bool:
        if not self.state.history:
            return True
        unmeasured: int = self.state.targets - self.state.history[-1]["targets"]
        return unmeasured >= (1 if complete else self._recipe.held_out.every)

    def _train_round(self) -> None:
        recipe, state = self._recipe.optimisation, self.state
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
            self._note_loss(value)
            self._working()
            if state.targets >= recipe.targets:
                break

    def _note_loss(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise MidfillError(
                f"the loss is {loss} after {self.state.targets:,} targets: start again by "
                "--restart, with smaller learning rates in the recipe"
            )
        before = loss if self._loss is None else self._loss
        self._loss = SMOOTHED_LOSS * before + (1 - SMOOTHED_LOSS) * loss

    def _rollout(self, source: WindowSource, seed: str, count: int) -> Rollout:
        data = self._recipe.data
        sizes = self._recipe.held_out.sizes if source is self._held_out_windows else None
        windows = source.round(seed, count, sizes)
        contexts = [window[: -(data.continuation + 1)] for window in windows]
        if data.targets == "greedy" or source is self._held_out_windows:
            return self._teacher.greedy(contexts, data.continuation, self._working)
        following = [window[-(data.continuation + 1) :] for window in windows]
        return self._teacher.forced(contexts, following, self._working)

    def _measure(self) -> None:
        """Measure the averaged adapter, note it, draw the curve and export what there is."""
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
                "loss": None if self._loss is None else round(self._loss, 4),
                "right": [round(share, 4) for share in figures.right],
                "tokens_per_step": [round(tokens, 4) for tokens in figures.tokens_per_step],
            }
        )
        export_adapter(self._folder / ADAPTER, self.state, self._recipe.shape)
        draw_learning_curve(self._folder / CURVE, self.state.history)
        with written_whole(self._folder / HISTORY) as partial:
            partial.write_text(json.dumps(self.state.history, indent=1) + "\n", "utf-8")
        self._working()

    def _figures(self) -> str:
        state, total = self.state, self._recipe.optimisation.targets
        parts = [f"{state.targets:,} of {total:,} targets"]
        if self._loss is not None:
            parts.append(f"loss {self._loss:.3f}")
        if state.history:
            last = state.history[-1]
            parts.append(
                f"held-out: 1st guess {last['right'][0]:.1%}, "
                f"{last['tokens_per_step'][-1]:.2f} tokens a step"
            )
        if trained := state.targets - self._begun_with:
            pace = trained / (monotonic() - self._begun_at)
            left = _minutes(max(0, total - state.targets) / pace)
            parts.append(f"{pace:.0f} targets/s, {left} left")
        return ", ".join(parts)

    def _working(self) -> None:
        total = self._recipe.optimisation.targets
        self._listener(Progress("training", min(1.0, self.state.targets / total), self._figures()))


def _minutes(seconds: float) -> str:
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _acceptance(state: RunState, index: int) -> Acceptance:
    figures = state.history[index]
    return Acceptance(tuple(figures["right"]), tuple(figures["tokens_per_step"]))


def corpus_fingerprint(corpus: Corpus) -> str:
    """Another one for other files, other text or other files held out."""
    digest = hashlib.sha256()
    for files in (corpus.train, corpus.held_out):
        digest.update(b"%d files" % len(files))
        for file in files:
            for part in (file.package, file.path, file.language, file.text):
                encoded = part.encode("utf-8", "surrogatepass")
                digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()
