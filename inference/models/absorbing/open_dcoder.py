"""Open-dCoder: Qwen2.5-Coder trained further, under its own name and type.

Nothing in the configuration tells it from an ordinary Qwen2; its tokenizer's ``<M>`` does.

Source: fredzzp/open-dcoder-0.5B, ``added_tokens.json`` and ``modeling_qwen2.py``.
"""

from __future__ import annotations

from midfill.inference.models.absorbing.family import Family, Markers
from midfill.inference.models.absorbing.shape import standard_shape

OPEN_DCODER = Family(
    name="Open-dCoder",
    backbones={"qwen2": "qwen2"},
    shift=True,
    shape=standard_shape,
    markers=Markers(mask="<M>", end="<|endoftext|>"),
)
