"""Setting a training run up: its corpus, its recipe, its folder and the base model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

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
from midfill.inference.training.recipe import Recipe, read_recipe
from midfill.inference.training.run import Outcome, Run

if TYPE_CHECKING:
    from midfill.inference.progress import ProgressListener
    from midfill.inference.training.corpus.source_text import Corpus

RECIPE = Path(__file__).with_name("recipe.toml")
REPOSITORY_RECIPE = Path(__file__).with_name("repository_recipe.toml")


def train_on_corpus(
    corpus: Path | None,
    *,
    recipe: Path | None,
    out: Path | None,
    targets: int | None,
    device: str | None,
    listener: ProgressListener,
) -> tuple[Path, Outcome]:
    """Train on a corpus that was built; returns the run's folder and what it came to.

    Raises:
        CorpusUnusable, RecipeInvalid, CheckpointUnusable, NoSpace: see `Run`.
    """
    chosen = _with_targets(read_recipe(recipe or RECIPE), targets)
    listener(Progress("reading the corpus"))
    texts = read_corpus(corpus or default_folder())
    folder = out or cache_folder() / "training" / "embedded"
    return folder, _run(chosen, texts, folder, device, listener)


def train_on_repository(
    repository: Path,
    *,
    recipe: Path | None,
    out: Path | None,
    targets: int | None,
    device: str | None,
    listener: ProgressListener,
) -> tuple[Path, Outcome]:
    """Adapt to the source files of a folder, on from the adapter in use.

    Raises:
        CorpusUnusable: there is nothing to learn from.
        RecipeInvalid, CheckpointUnusable, NoSpace: see `Run`.
    """
    chosen = _with_targets(read_recipe(recipe or REPOSITORY_RECIPE), targets)
    listener(Progress(f"reading {repository}"))
    texts = read_repository(repository, chosen.seed)
    languages = {file.language: 1.0 for file in texts.train}
    for language in languages:
        languages[language] = float(sum(len(f.text) for f in texts.train if f.language == language))
    data = chosen.data.model_copy(update={"languages": languages})
    chosen = chosen.model_copy(update={"data": data})
    name = repository.resolve().name or "repository"
    folder = out or cache_folder() / "training" / name
    return folder, _run(chosen, texts, folder, device, listener)


def _with_targets(recipe: Recipe, targets: int | None) -> Recipe:
    if targets is None:
        return recipe
    optimisation = recipe.optimisation.model_copy(update={"targets": targets})
    return recipe.model_copy(update={"optimisation": optimisation})


def _run(
    recipe: Recipe, corpus: Corpus, folder: Path, device: str | None, listener: ProgressListener
) -> Outcome:
    make_folder(folder)
    files = ensure_files(listener)
    architecture, place = Architecture(), torch.device(device or "cpu")
    with memory_errors():
        base = assemble_base(
            read_tensors(files.weights),
            EmbeddingRows(files.weights),
            architecture,
            dtype=fastest_dtype(place),
            device=place,
        )
        shipped = read_adapter(files.adapter) if recipe.start == "shipped" else None
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
