"""Tiny-A2D: Qwen2.5-Coder and Qwen3 turned into masked diffusion models, without a shift.

Each is published twice under the same type: ``mdlm`` sees everything, ``bd3lm`` sees nothing to the
right of a block of 32. Only the name, or a block size, tells them apart.

Source: dllm-hub/Qwen3-0.6B-diffusion-mdlm-v0.1.
"""

from __future__ import annotations

from midfill.inference.models.absorbing.family import Config, Family, Markers
from midfill.inference.models.absorbing.shape import standard_shape


def _refusal(config: Config, folder: str) -> str | None:
    names = f"{folder} {config.get('_name_or_path', '')}".lower()
    if "bd3lm" in names or config.get("block_size"):
        return "bd3lm models see nothing to the right of a block; take the mdlm one"
    return None


TINY_A2D = Family(
    name="Tiny-A2D",
    backbones={"a2d-qwen2": "qwen2", "a2d-qwen3": "qwen3"},
    shift=False,
    shape=standard_shape,
    markers=Markers(mask="<|mask|>", end="<|im_end|>"),
    refusal=_refusal,
)
