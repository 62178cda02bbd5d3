"""What sets one family of absorbing-mask models apart from another.

All are ordinary transformers that see both sides of a mask; a family says which, and what its
publisher calls things.

Never imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from midfill.inference.errors import WeightsCorrupt

if TYPE_CHECKING:
    from midfill.inference.models.absorbing.shape import Shape

Config = Mapping[str, Any]
"""What a ``config.json`` holds."""


@dataclass(frozen=True, slots=True)
class Markers:
    """What a family's special tokens are written as, where its tokenizer is asked for them.

    Attributes:
        mask: of an unknown slot; None where only the configuration has its id.
        end: behind the text, where the configuration does not say.
        bos: in front of the text; None if nothing stands there.
        pad: what fills up the room behind the end; where there is none, the configuration says.
        expand: what a slot becomes that should have been two.
    """

    mask: str | None = None
    end: str | None = None
    bos: str | None = None
    pad: str | None = None
    expand: str | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """How to read the checkpoints of a family.

    Attributes:
        name: for people.
        resizing_name: what those of its models are called that have an expand token.
        backbones: for each ``model_type`` the native architecture: qwen2, qwen3 or llama.
        shift: whether the row of the slot before predicts a slot.
        shape: the transformer's dimensions, from the configuration.
        markers: its special tokens.
        rename: the native name of a published tensor.
        refusal: why a checkpoint of this type cannot be filled with, from its configuration and
            its folder's path; None if it can.
        trained_context: tokens that it was trained on at once, where the configuration says more.
    """

    name: str
    backbones: Mapping[str, str]
    shift: bool
    shape: Callable[[Config], Shape]
    markers: Markers
    rename: Callable[[str], str] = str
    refusal: Callable[[Config, str], str | None] = lambda config, folder: None
    trained_context: int | None = None
    resizing_name: str = ""


def whole_number(config: Config, *names: str) -> int:
    """The first of these fields that the configuration has; a positive number.

    Raises:
        WeightsCorrupt: it has none of them, or another thing in it.
    """
    for name in names:
        value = config.get(name)
        if value is None:
            continue
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31:
            return value
        raise WeightsCorrupt(f"config.json has no positive whole number for {name}")
    raise WeightsCorrupt(f"config.json lacks {names[0]}; pull the model again")


def real_number(config: Config, name: str) -> float:
    """A field with a positive number.

    Raises:
        WeightsCorrupt: the configuration has none there.
    """
    value = config.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12:
        return float(value)
    raise WeightsCorrupt(f"config.json has no positive number for {name}; pull the model again")
