"""Recipes and the windows that they cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tiny_training import tiny_corpus

from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.corpus.source_text import Corpus, SourceText
from midfill.inference.training.errors import RecipeInvalid
from midfill.inference.training.fitting_recipe import with_languages_of, with_windows_for
from midfill.inference.training.guessable import most_frequent_tokens
from midfill.inference.training.optimiser import (
    distance_weights,
    guess_loss,
    learning_rate_factor,
)
from midfill.inference.training.recipe import Data, Optimisation, Recipe, WindowSizes, read_recipe
from midfill.inference.training.session import RECIPE, REPOSITORY_RECIPE
from midfill.inference.training.windows import WindowSource

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.tokenizer import Tokenizer

SIZES = WindowSizes(suffix=10, prefix=20)
DATA = Data(windows=(SIZES,), continuation=16, middle=(3, 9))


def source(tokenizer: Tokenizer, *files: SourceText) -> WindowSource:
    return WindowSource(files or tiny_corpus().train, DATA, tokenizer)


def test_the_recipes_of_the_package_are_valid() -> None:
    assert read_recipe(RECIPE).start == "scratch"
    assert read_recipe(REPOSITORY_RECIPE).start == "shipped"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[data]\nwindow = 3", "data.window: Extra inputs"),
        ("[shape]\nmasks = 0", "shape.masks: Input should be greater"),
        ("[shape", "is no TOML"),
        ('start = "somewhere"', "start: Input should be"),
    ],
)
def test_a_recipe_that_is_none_is_refused_in_one_line(
    tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(content)
    with pytest.raises(RecipeInvalid, match=complaint) as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match="cannot be read"):
        read_recipe(tmp_path / "missing.toml")


def test_windows_are_prompts_with_what_follows_them(tokenizer: Tokenizer) -> None:
    for window in source(tokenizer).round("seed", 6):
        assert len(window) == 3 + SIZES.suffix + SIZES.prefix + DATA.continuation + 1
        assert window[:2] == [tokenizer.fim_prefix, tokenizer.fim_suffix]
        assert window[2 + SIZES.suffix] == tokenizer.fim_middle
        specials = {tokenizer.fim_prefix, tokenizer.fim_suffix, tokenizer.fim_middle}
        assert sum(token in specials for token in window) == 3
        behind = tokenizer.decode(window[3 + SIZES.suffix :])
        assert any(behind in file.text for file in tiny_corpus().train)


def test_the_same_seed_cuts_the_same_windows(tokenizer: Tokenizer) -> None:
    assert source(tokenizer).round("1", 4) == source(tokenizer).round("1", 4)
    assert source(tokenizer).round("1", 4) != source(tokenizer).round("2", 4)


def test_files_that_are_too_short_are_a_clear_error(tokenizer: Tokenizer) -> None:
    short = SourceText("p", "a.py", "python", "x = 1\n")
    with pytest.raises(CorpusUnusable, match="shorten the windows, or add files"):
        source(tokenizer, short).round("1", 1)


def test_a_language_that_the_corpus_lacks_is_a_clear_error(tokenizer: Tokenizer) -> None:
    with pytest.raises(CorpusUnusable, match="no file of the corpus is in python"):
        source(tokenizer, SourceText("p", "a.go", "go", "package a\n" * 200))


def test_windows_shrink_for_short_files_until_they_fit(tokenizer: Tokenizer) -> None:
    text = "def add(a, b):\n    return a + b\n\n\n" * 12
    files = tuple(SourceText("p", f"{i}.py", "python", text) for i in range(5))
    corpus = Corpus(files, files[:1])
    recipe = with_windows_for(with_languages_of(read_recipe(REPOSITORY_RECIPE), corpus), corpus)
    assert recipe.data.windows[0].prefix < read_recipe(REPOSITORY_RECIPE).data.windows[0].prefix
    assert len(WindowSource(corpus.train, recipe.data, tokenizer).round("1", 4)) == 4


def test_long_files_leave_a_recipe_as_it_is() -> None:
    text = "x = 1\n" * 2000
    corpus = Corpus((SourceText("p", "a.py", "python", text),), ())
    assert with_windows_for(Recipe(), corpus) == Recipe()


def test_what_can_be_guessed_is_what_is_written_most(tokenizer: Tokenizer) -> None:
    file = SourceText("p", "a.py", "python", "self.value = self.value\n" * 50)
    tokens = most_frequent_tokens(
        [file], {"python": 1.0}, tokenizer, vocabulary=151_936, count=16, working=lambda: None
    )
    assert set(tokenizer.encode(file.text)) <= set(tokens.tolist())
    assert tokens.tolist() == sorted(tokens.tolist())
    unseen = set(tokens.tolist()) - set(tokenizer.encode(file.text))
    assert unseen <= set(range(16))  # the rest are the tokenizer's first


def test_the_learning_rate_rises_stays_and_falls() -> None:
    recipe = Optimisation(targets=1000, warm_up=100, decay=0.5)
    factors = [learning_rate_factor(targets, recipe) for targets in range(0, 1001, 50)]
    top = factors.index(1.0)
    assert factors[:top] == sorted(factors[:top])
    assert factors[top : top + 6] == [1.0] * 6
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] == 0.01


def test_a_target_that_cannot_be_guessed_does_not_count() -> None:
    logits = torch.zeros(1, 2, 1, 4)
    logits[0, 0, 0, 2] = 50.0
    rank_of = torch.tensor([-1, -1, 2, -1])
    weights = distance_weights(Optimisation(), 1)
    seen = guess_loss(logits, torch.tensor([[[2], [0]]]), rank_of, weights)
    assert seen.item() == pytest.approx(0.0, abs=1e-6)
