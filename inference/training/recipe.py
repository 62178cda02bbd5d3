"""The recipe: everything that a training run depends on besides the corpus."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from midfill.inference.training.errors import RecipeInvalid

if TYPE_CHECKING:
    from pathlib import Path


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WindowSizes(_Section):
    """Tokens of one kind of window."""

    suffix: int = Field(ge=0, le=512)
    prefix: int = Field(ge=8, le=4096)
    share: float = Field(default=1.0, gt=0)


class Data(_Section):
    """What the guesses are learnt from.

    Attributes:
        languages: how often each is drawn; the ones left out are not.
        windows: the kinds of window, and how often each is drawn.
        windows_per_round: contexts that are encoded together; all of one kind.
        middle: tokens between prefix and suffix, at least and at most.
        targets: the base's own greedy continuation, or the file's text.
        continuation: tokens of it.
    """

    languages: dict[str, float] = {"python": 1.0}
    windows: tuple[WindowSizes, ...] = (WindowSizes(suffix=48, prefix=120),)
    windows_per_round: int = Field(default=64, ge=1)
    middle: tuple[int, int] = (16, 96)
    targets: Literal["greedy", "text"] = "greedy"
    continuation: int = Field(default=64, ge=8, le=1024)


class Shape(_Section):
    """The adapter's.

    Attributes:
        entry_layer: the first layer that mask slots pass through.
        rank: of the low-rank updates.
        masks: in each group.
        sampler_width: of the sampler head.
        guessable: how many tokens can be guessed, the most frequent ones.
    """

    entry_layer: int = Field(default=8, ge=0, le=23)
    rank: int = Field(default=32, ge=1, le=256)
    masks: int = Field(default=4, ge=1, le=8)
    sampler_width: int = Field(default=1792, ge=1)
    guessable: int = Field(default=24_576, ge=256, le=151_936)


class Optimisation(_Section):
    """How the adapter is fitted.

    Attributes:
        targets: mask slots to train in all.
        windows, places: of one optimiser step: windows, and groups of masks in each.
        passes: how often a round's windows are gone through, each time at other places.
        learning_rate, sampler_learning_rate: of the low-rank updates and the sampler head.
        warm_up: targets until the learning rate is at its full height.
        decay: the last share of all targets, in which it falls to nothing.
        distance_weights: of the loss of each mask of a group; the last one holds for all further.
        smoothing: of the exponential moving average of the weights.
        clip: the gradient's norm at most.
    """

    targets: int = Field(default=100_000, ge=1)
    windows: int = Field(default=8, ge=1)
    places: int = Field(default=6, ge=1)
    passes: float = Field(default=0.8, gt=0, le=4)
    learning_rate: float = Field(default=7e-4, gt=0)
    sampler_learning_rate: float = Field(default=1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.98)
    warm_up: int = Field(default=4000, ge=0)
    decay: float = Field(default=0.4, ge=0, le=1)
    distance_weights: tuple[float, ...] = (1.0, 0.7, 0.5, 0.35)
    smoothing: float = Field(default=0.98, ge=0, lt=1)
    clip: float = Field(default=1.0, gt=0)


class HeldOut(_Section):
    """What progress is measured on.

    Attributes:
        windows: contexts from held-out files.
        sizes: of their windows.
        every: targets between two measurements.
    """

    windows: int = Field(default=32, ge=1)
    sizes: WindowSizes = WindowSizes(suffix=64, prefix=160)
    every: int = Field(default=20_000, ge=1)


class Recipe(_Section):
    """A whole training run.

    Attributes:
        start: "scratch", or "shipped" to go on from the adapter in the package.
        seed: of everything that is drawn.
    """

    seed: int = 0
    start: Literal["scratch", "shipped"] = "scratch"
    data: Data = Data()
    shape: Shape = Shape()
    optimisation: Optimisation = Optimisation()
    held_out: HeldOut = HeldOut()


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a TOML file; what it leaves out has its default.

    Raises:
        RecipeInvalid: it cannot be read, is no TOML, or a value is unknown or out of range.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        return Recipe.model_validate(content)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeInvalid(f"the recipe {path} cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeInvalid(f"the recipe {path} is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecipeInvalid(f"the recipe {path}: {where}: {first['msg']}") from None
