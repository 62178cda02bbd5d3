"""CoDA: Qwen3 that predicts the slot after each row.

Source: ``modeling_coda.py`` of Salesforce/CoDA-v0-Instruct.
"""

from __future__ import annotations

from midfill.inference.models.absorbing.family import Family, Markers
from midfill.inference.models.absorbing.shape import standard_shape

CODA = Family(
    name="CoDA",
    backbones={"CoDA": "qwen3"},
    shift=True,
    shape=standard_shape,
    markers=Markers(end="<|im_end|>"),
)
