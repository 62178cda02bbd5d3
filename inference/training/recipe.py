"""The recipe: everything that a training run depends on besides the corpus."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from midfill.inference.training.corpus.languages import EXTENSIONS
from midfill.inference.training.errors import RecipeInvalid

if TYPE_CHECKING:
    from pathlib import Path


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _rising(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] > span[1]:
        raise ValueError("the least comes first, then the most")
    return span


def _known(languages: dict[str, float]) -> dict[str, float]:
    for name in languages:
        if name not in EXTENSIONS:
            raise ValueError(f"there is no {name!r}; there are {', '.join(EXTENSIONS)}")
    return languages


_Count = Annotated[int, Field(ge=0, le=2048)]
_Weight = Annotated[float, Field(gt=0)]
_Beta = Annotated[float, Field(ge=0, lt=1)]


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

    languages: Annotated[dict[str, _Weight], Field(min_length=1), AfterValidator(_known)] = {
        "python": 1.0
    }
    windows: Annotated[tuple[WindowSizes, ...], Field(min_length=1)] = (
        WindowSizes(suffix=48, prefix=120),
    )
    windows_per_round: int = Field(default=64, ge=1)
    middle: Annotated[tuple[_Count, _Count], AfterValidator(_rising)] = (16, 96)
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
    betas: tuple[_Beta, _Beta] = (0.9, 0.98)
    warm_up: int = Field(default=4000, ge=0)
    decay: float = Field(default=0.4, ge=0, le=1)
    distance_weights: Annotated[tuple[_Weight, ...], Field(min_length=1)] = (1.0, 0.7, 0.5, 0.35)
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
        start: "scratch", or "shipped" to go on from the adapter in use, whose shape it then has.
        seed: of everything that is drawn.
    """

    seed: int = Field(default=0, ge=0, le=2**31)
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
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise RecipeInvalid(f"the recipe {path} cannot be read ({reason})") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeInvalid(f"the recipe {path} is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise RecipeInvalid(f"the recipe {path}: {where}: {what}") from None


def first_difference(one: Recipe, other: Recipe) -> str | None:
    """Where two recipes differ first, in words; how long a run is does not count."""
    return _difference(one.model_dump(), other.model_dump(), "")


def _difference(one: dict[str, Any], other: dict[str, Any], inside: str) -> str | None:
    for name, value in one.items():
        where, theirs = f"{inside}{name}", other[name]
        if where == "optimisation.targets" or value == theirs:
            continue
        if isinstance(value, dict) and value.keys() == theirs.keys():
            if inner := _difference(value, theirs, f"{where}."):
                return inner
            continue
        return f"{where} is {value} there and {theirs} here"
    return None
