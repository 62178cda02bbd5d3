"""The adapter while it is trained: its forward pass over many groups of masks, with gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.inference.models.embedded.adapter import tensor_shapes
from midfill.inference.models.embedded.sampler_head import SamplerHead
from midfill.kernels.rms_norm import rms_norm
from midfill.kernels.rotary import RotaryTable, rotate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from midfill.inference.models.embedded.architecture import Architecture
    from midfill.inference.models.embedded.weights import Base, Layer
    from midfill.inference.training.recipe import Shape
    from midfill.inference.training.rollout import Rollout


def initial_parameters(shape: Shape, architecture: Architecture, seed: int) -> dict[str, Tensor]:
    """Float32 tensors of an adapter that changes nothing yet, by their names in an adapter file.

    Source: low-rank adapters start at zero, arXiv 2106.09685.
    """
    drawing = torch.Generator().manual_seed(seed)
    names = tensor_shapes(
        architecture,
        entry_layer=shape.entry_layer,
        rank=shape.rank,
        masks=shape.masks,
        sampler_width=shape.sampler_width,
    )
    parameters = {}
    for name, size in names.items():
        if name.endswith("lora_B") or name in ("mask_embeddings", "sampler.out"):
            parameters[name] = torch.zeros(size)
        else:
            parameters[name] = torch.randn(size, generator=drawing) / math.sqrt(size[0])
    return parameters


class Student:
    """Predicts the tokens behind groups of masks from a rollout's keys.

    It computes what the model's own forward pass computes for mask slots, for many windows and
    places at once and nothing else.
    """

    def __init__(
        self,
        base: Base,
        architecture: Architecture,
        shape: Shape,
        parameters: Mapping[str, Tensor],
        guess_tokens: Tensor,
    ) -> None:
        self.parameters = parameters
        self.masks = shape.masks
        self._entry = shape.entry_layer
        self._base = base
        self._architecture = architecture
        self._guess_head = base.head[guess_tokens]
        self._rotary = RotaryTable.build(
            architecture.positions, architecture.head_size, architecture.rope_theta, base.device
        )

    def logits(self, rollout: Rollout, windows: Tensor, places: Tensor) -> Tensor:
        """What each mask predicts, each knowing the true token at its own place.

        Args:
            rollout: contexts and what follows them.
            windows: (chosen,) long.
            places: (chosen, groups) long; the places, in each window, to put a group of masks.

        Returns:
            (chosen, groups, masks, guessable) in the base's dtype.
        """
        states = self._mask_states(rollout, windows, places)
        known = self._following(rollout, windows, places)[..., :-1]
        embeddings = self._base.embedding(known.flatten().tolist()).to(states.device, states.dtype)
        embeddings = embeddings.view(*known.shape, -1)
        head = SamplerHead(
            *(self._parameter(f"sampler.{name}") for name in ("mask", "token", "state", "out"))
        )
        state = rollout.final_states[windows[:, None], places]
        predicted = []
        for mask in range(self.masks):
            state = head.next_state(states[:, :, mask], embeddings[:, :, mask], state)
            predicted.append(state)
        return F.linear(torch.stack(predicted, dim=2), self._guess_head)

    def targets(self, rollout: Rollout, windows: Tensor, places: Tensor) -> Tensor:
        """The tokens that `logits` is about, (chosen, groups, masks) long."""
        return self._following(rollout, windows, places)[..., 1:]

    def _following(self, rollout: Rollout, windows: Tensor, places: Tensor) -> Tensor:
        """(chosen, groups, masks + 1): the token at each place and those behind it."""
        at = rollout.context + places[..., None] + torch.arange(self.masks + 1)
        return rollout.tokens[windows[:, None, None], at]

    def _parameter(self, name: str) -> Tensor:
        return self.parameters[name].to(self._base.device, self._base.dtype)

    def _mask_states(self, rollout: Rollout, windows: Tensor, places: Tensor) -> Tensor:
        """(chosen, groups, masks, width), behind the final norm."""
        chosen, groups = places.shape
        behind = rollout.entry_states[windows[:, None], places]
        states = behind[:, :, None] + self._parameter("mask_embeddings")
        slots = groups * self.masks
        positions = rollout.context + places[..., None] + torch.arange(self.masks)
        angles = self._rotary.at(positions.flatten())
        bias = self._bias(rollout, places)
        states = states.view(chosen * slots, -1)
        layers = enumerate(self._base.layers[self._entry :], self._entry)
        for i, layer in layers:
            keys = rollout.keys[i - self._entry, windows]
            values = rollout.values[i - self._entry, windows]
            states = states + self._attend(states, i, layer, angles, bias, keys, values)
            states = states + self._feed_forward(states, i, layer)
        final = rms_norm(states, self._base.final_norm, self._architecture.norm_epsilon)
        return final.view(chosen, groups, self.masks, -1)

    def _bias(self, rollout: Rollout, places: Tensor) -> Tensor:
        """(chosen, 1, group * slots, context + places - 1 + slots): 0 where visible, else -inf."""
        chosen, groups = places.shape
        shape = self._architecture
        known = rollout.keys.shape[3]
        slots = groups * self.masks
        visible = torch.zeros(chosen, groups, self.masks, known + slots, dtype=torch.bool)
        last_seen = rollout.context - 1 + places
        visible[..., :known] = (torch.arange(known) <= last_seen[..., None])[:, :, None]
        own = torch.block_diag(*[torch.ones(self.masks, self.masks).tril()] * groups)  # type: ignore[no-untyped-call]
        visible[..., known:] = own.bool().view(groups, self.masks, slots)
        bias = torch.zeros(visible.shape, dtype=self._base.dtype)
        bias.masked_fill_(~visible, float("-inf"))
        rows = bias.view(chosen, 1, slots, known + slots)
        return rows.repeat(1, 1, shape.query_heads // shape.key_heads, 1).to(self._base.device)

    def _adapted(self, x: Tensor, y: Tensor, layer: int, name: str) -> Tensor:
        a = self._parameter(f"layers.{layer}.{name}.lora_A")
        return y + (x @ a) @ self._parameter(f"layers.{layer}.{name}.lora_B")

    def _attend(
        self,
        states: Tensor,
        i: int,
        layer: Layer,
        angles: RotaryTable,
        bias: Tensor,
        keys: Tensor,
        values: Tensor,
    ) -> Tensor:
        shape = self._architecture
        chosen = keys.shape[0]
        slots = states.shape[0] // chosen
        x = rms_norm(states, layer.attention_norm, shape.norm_epsilon)
        query, key, value = (
            self._adapted(x, y, i, name)
            for name, y in zip(
                "qkv",
                F.linear(x, layer.qkv, layer.qkv_bias).split_with_sizes(
                    (shape.query_width, shape.key_width, shape.key_width), dim=-1
                ),
                strict=True,
            )
        )
        query = rotate(query.view(chosen * slots, shape.query_heads, -1), angles)
        key = rotate(key.view(chosen * slots, shape.key_heads, -1), angles)
        key = key.view(chosen, slots, shape.key_heads, -1).transpose(1, 2)
        value = value.view(chosen, slots, shape.key_heads, -1).transpose(1, 2)
        # The query heads that share a key head are laid out as further rows of it.
        group = shape.query_heads // shape.key_heads
        rows = query.view(chosen, slots, shape.key_heads, group, -1).permute(0, 2, 3, 1, 4)
        attended = F.scaled_dot_product_attention(
            rows.reshape(chosen, shape.key_heads, group * slots, -1),
            torch.cat((keys, key), dim=2),
            torch.cat((values, value), dim=2),
            bias,
        )
        attended = attended.view(chosen, shape.key_heads, group, slots, -1).permute(0, 3, 1, 2, 4)
        attended = attended.reshape(chosen * slots, -1)
        return self._adapted(attended, F.linear(attended, layer.o), i, "o")

    def _feed_forward(self, states: Tensor, i: int, layer: Layer) -> Tensor:
        x = rms_norm(states, layer.mlp_norm, self._architecture.norm_epsilon)
        gate, up = F.linear(x, layer.gate_up).chunk(2, dim=-1)
        inner = F.silu(self._adapted(x, gate, i, "gate")) * self._adapted(x, up, i, "up")
        return self._adapted(inner, F.linear(inner, layer.down), i, "down")
