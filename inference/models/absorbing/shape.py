"""The dimensions of a transformer of the Llama kind.

Never imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from midfill.inference.errors import UsageError, WeightsCorrupt
from midfill.inference.models.absorbing.family import Config, real_number, whole_number


@dataclass(frozen=True, slots=True)
class Shape:
    """What a native configuration is made from.

    Attributes:
        width: of the states.
        inner_width: of the feed-forward layers.
        layers: how many there are.
        heads, key_heads, head_width: of the attention.
        vocabulary: rows of the embedding.
        positions: that the rotary embedding is meant for.
        norm_epsilon: of the RMS norms.
        rope_base: the rotary embedding's ``theta``.
        tied: whether the head is the embedding, where the weights have no head; None if not said.

    Raises:
        WeightsCorrupt: the attention's dimensions do not go together.
    """

    width: int
    inner_width: int
    layers: int
    heads: int
    key_heads: int
    head_width: int
    vocabulary: int
    positions: int
    norm_epsilon: float
    rope_base: float
    tied: bool | None

    def __post_init__(self) -> None:
        if self.heads % self.key_heads or self.head_width % 2:
            raise WeightsCorrupt(
                f"config.json asks for {self.heads} heads of width {self.head_width} and "
                f"{self.key_heads} key heads, which cannot be; pull the model again"
            )


def standard_shape(config: Config) -> Shape:
    """From the field names that Qwen2, Qwen3 and Llama have in common.

    Raises:
        WeightsCorrupt: a field is missing or makes no sense.
        UsageError: the model is of a variant that is not supported.
    """
    _refuse(config, "hidden_act", "silu", None)
    _refuse(config, "use_sliding_window", False, None)
    if any(kind != "full_attention" for kind in config.get("layer_types") or ()):
        raise UsageError("config.json has layers with other than full attention: not supported")
    width, heads = whole_number(config, "hidden_size"), whole_number(config, "num_attention_heads")
    return Shape(
        width=width,
        inner_width=whole_number(config, "intermediate_size"),
        layers=whole_number(config, "num_hidden_layers"),
        heads=heads,
        key_heads=whole_number(config, "num_key_value_heads", "num_attention_heads"),
        head_width=whole_number(
            {"head_dim": width // heads, **_given(config, "head_dim")}, "head_dim"
        ),
        vocabulary=whole_number(config, "vocab_size"),
        positions=whole_number(config, "max_position_embeddings"),
        norm_epsilon=real_number(config, "rms_norm_eps"),
        rope_base=_rope_base(config),
        tied=_tied(config, "tie_word_embeddings"),
    )


def _given(config: Config, name: str) -> dict[str, object]:
    return {} if config.get(name) is None else {name: config[name]}


def _tied(config: Config, name: str) -> bool | None:
    value = config.get(name)
    return value if isinstance(value, bool) else None


def _refuse(config: Config, name: str, *allowed: object) -> None:
    if config.get(name) not in allowed:
        raise UsageError(f"config.json has {name} {str(config[name])[:40]!r}: not supported")


def _rope_base(config: Config) -> float:
    """The rotary base, from where releases before and since 5.0 of `transformers` write it."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, dict) else rope
    if kind != "default":
        raise UsageError(f"config.json has scaled rotary positions ({kind}): not supported")
    return real_number({**config, **_given(rope, "rope_theta")}, "rope_theta")
