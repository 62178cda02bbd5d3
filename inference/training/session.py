"""Setting a training run up: its corpus, its recipe, its folder and the base model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.devices import torch_device
from midfill.inference.downloads.cache_folder import cache_folder, make_folder
from midfill.inference.memory_errors import memory_errors
from midfill.inference.models.embedded.adapter import read_adapter
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.embedding_rows import EmbeddingRows
from midfill.inference.models.embedded.files import ensure_files
from midfill.inference.models.embedded.weights import assemble_base, read_tensors
from midfill.inference.models.loading import fastest_dtype
from midfill.inference.progress import Progress
from midfill.inference.tokenizer import Tokenizer
from midfill.inference.training.corpus.manifest import default_folder
from midfill.inference.training.corpus.reader import read_corpus
from midfill.inference.training.corpus.repository import read_repository
from midfill.inference.training.fitting_recipe import (
    with_languages_of,
    with_shape_of,
    with_windows_for,
)
from midfill.inference.training.recipe import Recipe, read_recipe
from midfill.inference.training.run import Outcome, Run

if TYPE_CHECKING:
    from midfill.inference.progress import ProgressListener
    from midfill.inference.training.corpus.source_text import Corpus

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
    """

    recipe: Path | None = None
    out: Path | None = None
    targets: int | None = None
    device: str | None = None


def train_on_corpus(
    corpus: Path | None, choices: Choices, listener: ProgressListener
) -> tuple[Path, Outcome]:
    """Train on a corpus that was built; returns the run's folder and what it came to.

    Raises:
        CorpusUnusable, RecipeInvalid, CheckpointUnusable, NoSpace: see `Run`.
    """
    recipe = read_recipe(choices.recipe or RECIPE)
    listener(Progress("reading the corpus"))
    texts = read_corpus(corpus or default_folder())
    return _run(recipe, texts, "embedded", choices, listener)


def train_on_repository(
    repository: Path, choices: Choices, listener: ProgressListener
) -> tuple[Path, Outcome]:
    """Adapt to the source files of a folder, on from the adapter in use.

    Raises:
        CorpusUnusable: there is nothing to learn from.
        RecipeInvalid, CheckpointUnusable, NoSpace: see `Run`.
    """
    recipe = read_recipe(choices.recipe or REPOSITORY_RECIPE)
    listener(Progress(f"reading {repository}"))
    texts = read_repository(repository, recipe.seed)
    recipe = with_windows_for(with_languages_of(recipe, texts), texts)
    name = repository.resolve().name or "repository"
    return _run(recipe, texts, name, choices, listener)


def _run(
    recipe: Recipe, corpus: Corpus, name: str, choices: Choices, listener: ProgressListener
) -> tuple[Path, Outcome]:
    device = torch_device(choices.device)
    folder = choices.out or cache_folder() / "training" / name
    make_folder(folder)
    files = ensure_files(listener)
    shipped = read_adapter(files.adapter) if recipe.start == "shipped" else None
    if shipped is not None:
        recipe = with_shape_of(recipe, shipped)
    if choices.targets is not None:
        optimisation = recipe.optimisation.model_copy(update={"targets": choices.targets})
        recipe = recipe.model_copy(update={"optimisation": optimisation})
    architecture = Architecture()
    with memory_errors():
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
        return folder, run.finish()
