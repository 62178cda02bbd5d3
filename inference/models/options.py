"""How a big model is to fill: what stands behind its name, as in ``M,canvas=64,weights=int8``.

Never imports torch.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from midfill.inference.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


CANVAS_LENGTHS = (32, 64, 128, 256)
"""Slots that a canvas may have, pinned ones included."""


class SuffixView(StrEnum):
    """How a model whose context is causal gets to see the text behind the hole."""

    PINNED = "pinned"
    """Its first tokens are held in their slots of the canvas at every step."""
    PROMPT = "prompt"
    """It stands in the prompt, and the answer is parsed strictly."""
    BOTH = "both"


class Weights(StrEnum):
    """What the weights are held as."""

    AUTO = "auto"
    """bfloat16 where the hardware multiplies it, else float32."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"
    INT4 = "int4"


class SlotScore(StrEnum):
    """Which slots are unmasked first, and how many at once."""

    CONFIDENCE = "confidence"
    MARGIN = "margin"
    ENTROPY = "entropy"
    ENTROPY_BOUND = "entropy-bound"
    BEST = "best"
    """One slot a step, that with the lowest entropy; or as many as the threshold says."""


class Length(StrEnum):
    """How the middle comes to its right length."""

    AUTO = "auto"
    """What the model was trained for, else `SEARCH`."""
    FIXED = "fixed"
    """As many slots as the canvas has."""
    END_OF_MIDDLE = "end-of-middle"
    EXPAND_DELETE = "expand-delete"
    SEARCH = "search"


class Caching(StrEnum):
    """What a fully bidirectional model keeps of a step for the next one of the same block."""

    NONE = "none"
    PREFIX = "prefix"
    DUAL = "dual"
    OPEN = "open"
    """As `DUAL`, and slots that were accepted before the last step are not computed again."""


class Start(StrEnum):
    """What a canvas holds before the first step."""

    MASKS = "masks"
    """Nothing, or noise."""
    BELIEVED = "believed"
    """What is left of the last fill, or what follows the same text elsewhere."""


class Options(BaseModel):
    """The options of a big model; what a model has no use for it refuses when it is opened."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suffix: SuffixView | None = None
    """DiffusionGemma and vLLM: how the text behind the hole is seen."""
    canvas: Annotated[Literal[32, 64, 128, 256], BeforeValidator(int)] = 64
    """Slots at most, pinned ones included."""
    steps: int | None = Field(default=None, ge=1, le=512)
    """Denoising steps at most, for each canvas."""
    sampler: SlotScore = SlotScore.CONFIDENCE
    threshold: float | None = Field(default=None, gt=0.0)
    """Of the sampler: a probability, a margin, nats a slot, nats a step, or slots a step."""
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    length: Length = Length.AUTO
    start: Start = Start.MASKS
    cache: Caching = Caching.DUAL
    block: int | None = Field(default=None, ge=1, le=256)
    """Slots that are finished before the ones behind them are begun; all at once by default."""
    ahead: int = Field(default=0, ge=0, le=256)
    """Slots of a block still masked with which the next block is begun along."""
    weights: Weights = Weights.AUTO
    prefix_tokens: int = Field(default=1024, ge=16, le=131072)
    suffix_tokens: int = Field(default=256, ge=0, le=131072)
    revision: str | None = None
    """Of a hub repository: a commit, branch or tag. What was pulled is used unless there is one."""


ABOUT_WEIGHTS = ("weights", "revision")
"""Options that say which weights are loaded, rather than how they fill."""


def need_same_weights(loaded: Options, wanted: Options) -> None:
    """Make sure that options can be followed with the weights that are in memory.

    Raises:
        UsageError: they ask for others.
    """
    for name in ABOUT_WEIGHTS:
        if getattr(loaded, name) != getattr(wanted, name):
            raise UsageError(f"model option {name}: the model has to be loaded anew for that")


def with_smaller_canvas(options: Options) -> Options | None:
    """The same with the next smaller canvas; None if it is the smallest already."""
    smaller = [length for length in CANVAS_LENGTHS if length < options.canvas]
    return options.model_copy(update={"canvas": max(smaller)}) if smaller else None


def choices_of(name: str) -> tuple[Any, ...]:
    """The values of an option that has a few to choose from; none of any other name.

    What needs other weights in memory is no matter of choice.
    """
    if name not in Options.model_fields or name in ABOUT_WEIGHTS:
        return ()
    annotation = Options.model_fields[name].annotation
    kinds = [annotation, *get_args(annotation)]
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return tuple(value for value in kind if value != "auto")
    return CANVAS_LENGTHS if name == "canvas" else ()


def parse_options(pairs: Iterable[str]) -> Options:
    """Options from ``name=value`` pairs.

    Raises:
        UsageError: there is no such option, or it does not take such a value.
    """
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in Options.model_fields:
            known = ", ".join(field.replace("_", "-") for field in Options.model_fields)
            raise UsageError(f"there is no model option {pair!r}; there are: {known}")
        given[name] = value.strip()
    try:
        return Options.model_validate_strings(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UsageError(
            f"model option {name.replace('_', '-')}={given[name]}: {first['msg'].lower()}"
        ) from None
