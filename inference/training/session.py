"""Setting a training run up: its corpus, its recipe, its folder and the base model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from midfill.inference.devices import torch_device
from midfill.inference.downloads.cache_folder import cache_folder, disk_errors, make_folder
from midfill.inference.downloads.folder_lock import sole_use
from midfill.inference.memory_errors import memory_errors
from midfill.inference.models.dtypes import fastest_dtype
from midfill.inference.models.embedded.adapter import assemble_adapter, read_adapter
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.embedding_rows import EmbeddingRows
from midfill.inference.models.embedded.files import Form, ensure_files
from midfill.inference.models.embedded.weights import assemble_base, read_tensors
from midfill.inference.progress import Progress
from midfill.inference.tokenizer import Tokenizer
from midfill.inference.training.checkpoint import NAME
from midfill.inference.training.corpus.manifest import default_folder
from midfill.inference.training.corpus.reader import read_corpus
from midfill.inference.training.corpus.repository import read_repository
from midfill.inference.training.fitting_recipe import (
    with_languages_of,
    with_shape_of,
    with_windows_for,
)
from midfill.inference.training.recipe import Recipe, read_recipe
from midfill.inference.training.run import Run

if TYPE_CHECKING:
    from midfill.inference.progress import ProgressListener
    from midfill.inference.training.corpus.source_text import Corpus
    from midfill.inference.training.run import Outcome

RECIPE = Path(__file__).with_name("recipe.toml")
REPOSITORY_RECIPE = Path(__file__).with_name("repository_recipe.toml")


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose; what is left out has its default.

    Attributes:
        recipe: a TOML file.
        out: the run's folder.
        targets: instead of the recipe's.
        device: a torch device.
        restart: forget the run that is in the folder.
    """

    recipe: Path | None = None
    out: Path | None = None
    targets: int | None = None
    device: str | None = None
    restart: bool = False

    def folder(self, repository: Path | None = None) -> Path:
        """The run's; one of its own for each repository unless the user chose."""
        if self.out is not None:
            return self.out
        name = "embedded"
        if repository is not None:
            place = repository.resolve()
            name = f"{place.name or 'repository'}-{hashlib.sha256(bytes(place)).hexdigest()[:8]}"
        return cache_folder() / "training" / name


def train_on_corpus(corpus: Path | None, choices: Choices, listener: ProgressListener) -> Outcome:
    """Train on a corpus that was built, or go on with that.

    Raises:
        UsageError: there is no such device.
        CorpusUnusable, RecipeInvalid, CheckpointUnusable, NoSpace: see `Run`.
    """
    device = torch_device(choices.device or "cpu")
    recipe = read_recipe(choices.recipe or RECIPE)
    listener(Progress("reading the corpus"))
    texts = read_corpus(corpus or default_folder())
    return _run(recipe, texts, choices.folder(), choices, device, listener)


def train_on_repository(repository: Path, choices: Choices, listener: ProgressListener) -> Outcome:
    """Adapt to the source files of a folder, on from the adapter in use.

    Raises:
        UsageError: there is no such device.
        CorpusUnusable: there is nothing to learn from.
        RecipeInvalid, CheckpointUnusable, NoSpace: see `Run`.
    """
    device = torch_device(choices.device or "cpu")
    recipe = read_recipe(choices.recipe or REPOSITORY_RECIPE)
    listener(Progress(f"reading {repository}"))
    texts = read_repository(repository, recipe.seed)
    fitting = with_windows_for(with_languages_of(recipe, texts), texts)
    if fitting.data.windows != recipe.data.windows:
        now, usual = fitting.held_out.sizes.prefix, recipe.held_out.sizes.prefix
        listener(Progress(f"its files are short: {now} tokens are read instead of {usual}"))
    folder = choices.folder(repository)
    return _run(fitting, texts, folder, choices, device, listener)


def _run(
    recipe: Recipe,
    corpus: Corpus,
    folder: Path,
    choices: Choices,
    device: torch.device,
    listener: ProgressListener,
) -> Outcome:
    make_folder(folder)
    files = ensure_files(listener, form=Form.BFLOAT16)
    shipped = read_adapter(files.adapter) if recipe.start == "shipped" else None
    architecture = Architecture()
    if shipped is not None:
        # Complains if it is none for this model.
        assemble_adapter(shipped, architecture, dtype=torch.bfloat16, device=torch.device("cpu"))
        recipe = with_shape_of(recipe, shipped)
    if choices.targets is not None:
        optimisation = recipe.optimisation.model_copy(update={"targets": choices.targets})
        recipe = recipe.model_copy(update={"optimisation": optimisation})
    waiting = Progress(f"waiting for another process that trains in {folder}")
    with sole_use(folder, waiting, listener), memory_errors():
        if choices.restart:
            with disk_errors(folder):
                (folder / NAME).unlink(missing_ok=True)
        listener(Progress("loading the embedded model"))
        base = assemble_base(
            read_tensors(files.weights),
            EmbeddingRows(files.weights),
            architecture,
            dtype=fastest_dtype(device),
            device=device,
        )
        run = Run(
            recipe,
            corpus,
            folder,
            base,
            architecture,
            Tokenizer(files.tokenizer),
            shipped=shipped,
            listener=listener,
        )
        return run.finish()
