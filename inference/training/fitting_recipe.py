"""Fitting a recipe to what it is used on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.training.recipe import Recipe, Shape, WindowSizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.models.embedded.adapter import AdapterFile
    from midfill.inference.training.corpus.source_text import Corpus, SourceText

CHARACTERS_PER_TOKEN = 4

SHRINKING = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)

ENOUGH = 0.3
"""The share of files that should be long enough for a window."""


def with_shape_of(recipe: Recipe, file: AdapterFile) -> Recipe:
    """The recipe with the shape of an adapter that it goes on from."""
    masks = file.tensors["mask_embeddings"].shape[0]
    entry_layer = int(file.metadata["entry_layer"])
    shape = Shape(
        entry_layer=entry_layer,
        rank=file.tensors[f"layers.{entry_layer}.q.lora_A"].shape[1],
        masks=masks,
        sampler_width=file.tensors["sampler.out"].shape[0],
        guessable=len(file.tensors["guess_tokens"]),
    )
    return recipe.model_copy(update={"shape": shape})


def with_languages_of(recipe: Recipe, corpus: Corpus) -> Recipe:
    """The recipe with each language drawn as often as there is text in it."""
    languages: dict[str, float] = {}
    for file in corpus.train:
        languages[file.language] = languages.get(file.language, 0.0) + len(file.text)
    data = recipe.data.model_copy(update={"languages": languages})
    return recipe.model_copy(update={"data": data})


def with_windows_for(recipe: Recipe, corpus: Corpus) -> Recipe:
    """The recipe with its windows, holes and continuations shortened where files are short."""
    for factor in SHRINKING:
        shrunk = _shrunk(recipe, factor)
        needed = max(_length(shrunk, size.prefix, size.suffix) for size in _sizes(shrunk))
        if all(_share(files, needed) >= ENOUGH for files in (corpus.train, corpus.held_out)):
            return shrunk
    return shrunk


def _shrunk(recipe: Recipe, factor: float) -> Recipe:
    if factor == 1.0:
        return recipe
    data, held_out = recipe.data, recipe.held_out

    def short(count: int, least: int = 0) -> int:
        return max(least, round(count * factor))

    windows = tuple(
        size.model_copy(update={"prefix": short(size.prefix, 8), "suffix": short(size.suffix)})
        for size in (*data.windows, held_out.sizes)
    )
    changed = {
        "windows": windows[:-1],
        "middle": (short(data.middle[0], 1), short(data.middle[1], 2)),
        "continuation": short(data.continuation, 12),
    }
    return recipe.model_copy(
        update={
            "data": data.model_copy(update=changed),
            "held_out": held_out.model_copy(update={"sizes": windows[-1]}),
        }
    )


def _sizes(recipe: Recipe) -> Sequence[WindowSizes]:
    return (*recipe.data.windows, recipe.held_out.sizes)


def _length(recipe: Recipe, prefix: int, suffix: int) -> int:
    return prefix + max(recipe.data.middle[1] + suffix, recipe.data.continuation + 1)


def _share(files: Sequence[SourceText], tokens: int) -> float:
    if not files:
        return 1.0
    return sum(len(file.text) >= tokens * CHARACTERS_PER_TOKEN for file in files) / len(files)
