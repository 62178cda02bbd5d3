"""Dream, Dream-Coder, DiffuCoder and DreamOn: Qwen2 that predicts the slot after each row.

All four have the same architecture and type. DreamOn alone has an ``<|expand|>`` token, by which it
is told apart; its end token means "delete this slot" where it is predicted for a mask.

Source: ``configuration_dream.py`` and the tokenizer files of Dream-org/Dream-v0-Instruct-7B and
Dream-org/DreamOn-v0-7B.
"""

from __future__ import annotations

from midfill.inference.models.absorbing.family import Config, Family, Markers
from midfill.inference.models.absorbing.shape import standard_shape


def _refusal(config: Config, folder: str) -> str | None:
    if config.get("block_size") or "DreamForCausalLM" in (config.get("architectures") or ()):
        return "Dream models with a block size see nothing to the right of a block"
    return None


DREAM = Family(
    name="Dream",
    resizing_name="DreamOn",
    backbones={"Dream": "qwen2"},
    shift=True,
    shape=standard_shape,
    markers=Markers(
        mask="<|mask|>",
        end="<|endoftext|>",
        bos="<|beginoftext|>",
        pad="<|dlm_pad|>",  # DiffuCoder has it
        expand="<|expand|>",
    ),
    refusal=_refusal,
    trained_context=2048,  # the configuration has the base model's 131072
)
