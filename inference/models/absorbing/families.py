"""The families of absorbing-mask models that can be read, one file each.

Never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.models.absorbing.coda import CODA
from midfill.inference.models.absorbing.dream import DREAM
from midfill.inference.models.absorbing.llada import LLADA
from midfill.inference.models.absorbing.open_dcoder import OPEN_DCODER
from midfill.inference.models.absorbing.tiny_a2d import TINY_A2D

if TYPE_CHECKING:
    from midfill.inference.models.absorbing.family import Config, Family

FAMILIES = (OPEN_DCODER, DREAM, LLADA, CODA, TINY_A2D)

_BLOCKS = "it sees nothing to the right of a block, so it cannot fill in front of a suffix"
_OWN = "transformers has no native architecture that it could be read into"

REASONS_AGAINST = {
    "sdar": _BLOCKS,
    "Fast_dLLM_Qwen": _BLOCKS,
    "llada2_moe": _BLOCKS,
    "nemotron_labs_diffusion": _BLOCKS,
    "lladamoe": _OWN,
    "llama": "Llama is not a diffusion model, and Stable-DiffCoder sees nothing to the right of a "
    "block",
    "qwen3": "Qwen3 is not a diffusion model",
}
"""Why some model types that somebody may try are not supported."""


def family_of(config: Config) -> Family | None:
    """The family that a ``config.json`` belongs to, as its ``model_type`` says; None if to none."""
    model_type = config.get("model_type")
    return next((family for family in FAMILIES if model_type in family.backbones), None)


def supported_model_types() -> tuple[str, ...]:
    """Every ``model_type`` that some family has."""
    return tuple(model_type for family in FAMILIES for model_type in family.backbones)
