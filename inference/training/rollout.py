"""Rolling the base model out: many contexts at once, their keys, and what the base goes on with.

The contexts of one rollout are equally long, so that nothing has to be padded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.kernels.rms_norm import rms_norm
from midfill.kernels.rotary import RotaryTable, rotate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from midfill.inference.models.embedded.architecture import Architecture
    from midfill.inference.models.embedded.weights import Base, Layer

ENCODED_TOGETHER = 8
"""Contexts in one pass while they are encoded; larger passes are no faster."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """What the adapter is trained on.

    Place ``p`` of a window is the known slot before token ``context + p``; a group of masks may
    stand behind it.

    Attributes:
        context: tokens before the first place's prediction.
        tokens: (windows, context + places) long, on the CPU; from ``context`` on, what follows the
            context.
        keys, values: (layers, windows, key_heads, context + places - 1, head_size), of the layers
            from the entry layer on.
        entry_states: (windows, places, width), the known slots' states at the entry layer.
        final_states: (windows, places, width), behind the final norm.
    """

    context: int
    tokens: Tensor
    keys: Tensor
    values: Tensor
    entry_states: Tensor
    final_states: Tensor

    @property
    def windows(self) -> int:
        return self.tokens.shape[0]

    @property
    def places(self) -> int:
        return self.final_states.shape[1]


class Teacher:
    """The base model over batches of contexts, without gradients."""

    def __init__(self, base: Base, shape: Architecture, entry_layer: int) -> None:
        self._base = base
        self._shape = shape
        self._entry = entry_layer
        self._rotary = RotaryTable.build(
            shape.positions, shape.head_size, shape.rope_theta, base.device
        )

    def greedy(
        self, contexts: Sequence[Sequence[int]], continuation: int, working: Callable[[], None]
    ) -> Rollout:
        """Encode contexts and let the base go on from them.

        Args:
            contexts: equally long prompts.
            continuation: tokens whose keys are wanted; one more is written.
            working: called between passes; what it raises breaks the work off.
        """
        return self._roll(torch.tensor(contexts), None, continuation, working)

    def forced(
        self,
        contexts: Sequence[Sequence[int]],
        following: Sequence[Sequence[int]],
        working: Callable[[], None],
    ) -> Rollout:
        """The same with the text that really follows, one token more than is encoded."""
        forced = torch.tensor(following)
        return self._roll(torch.tensor(contexts), forced, forced.shape[1] - 1, working)

    @torch.no_grad()
    def _roll(
        self,
        contexts: Tensor,
        forced: Tensor | None,
        continuation: int,
        working: Callable[[], None],
    ) -> Rollout:
        windows, context = contexts.shape
        keys, values = self._buffers(windows, context + continuation)
        last = [
            self._encode(contexts[part], keys[:, part], values[:, part], working)
            for part in _parts(windows, ENCODED_TOGETHER)
        ]
        entry = torch.cat([states[0] for states in last])
        final = torch.cat([states[1] for states in last])
        tokens, entries, finals = [contexts], [entry], [final]
        for place in range(continuation + 1):
            following = (
                F.linear(final[:, 0], self._base.head).argmax(-1, keepdim=True).cpu()
                if forced is None
                else forced[:, place : place + 1]
            )
            tokens.append(following)
            if place < continuation:
                entry, final = self._forward(following, keys, values, context + place)
                entries.append(entry)
                finals.append(final)
            working()
        return Rollout(
            context=context,
            tokens=torch.cat(tokens, dim=1),
            keys=keys[self._entry :],
            values=values[self._entry :],
            entry_states=torch.cat(entries, dim=1),
            final_states=torch.cat(finals, dim=1),
        )

    def _buffers(self, windows: int, length: int) -> tuple[Tensor, Tensor]:
        size = (self._shape.layers, windows, self._shape.key_heads, length, self._shape.head_size)
        return (
            torch.empty(size, dtype=self._base.dtype, device=self._base.device),
            torch.empty(size, dtype=self._base.dtype, device=self._base.device),
        )

    def _encode(
        self, contexts: Tensor, keys: Tensor, values: Tensor, working: Callable[[], None]
    ) -> tuple[Tensor, Tensor]:
        """The last slot's states: at the entry layer and behind the final norm."""
        working()
        entry, final = self._forward(contexts, keys, values, 0)
        return entry[:, -1:], final[:, -1:]

    def _forward(
        self, tokens: Tensor, keys: Tensor, values: Tensor, start: int
    ) -> tuple[Tensor, Tensor]:
        """States (windows, slots, width) of known slots; writes their keys from ``start`` on."""
        base = self._base
        windows, slots = tokens.shape
        states = base.embedding(tokens.flatten().tolist()).to(base.device, base.dtype)
        angles = self._rotary.at(
            torch.arange(start, start + slots, device=base.device).repeat(windows)
        )
        entry = states
        for i, layer in enumerate(base.layers):
            if i == self._entry:
                entry = states
            states = states + self._attend(states, layer, angles, keys[i], values[i], start)
            states = states + self._feed_forward(states, layer)
        final = rms_norm(states, base.final_norm, self._shape.norm_epsilon)
        return entry.view(windows, slots, -1), final.view(windows, slots, -1)

    def _attend(
        self,
        states: Tensor,
        layer: Layer,
        angles: RotaryTable,
        keys: Tensor,
        values: Tensor,
        start: int,
    ) -> Tensor:
        shape = self._shape
        windows = keys.shape[0]
        slots = states.shape[0] // windows
        x = rms_norm(states, layer.attention_norm, shape.norm_epsilon)
        query, key, value = F.linear(x, layer.qkv, layer.qkv_bias).split_with_sizes(
            (shape.query_width, shape.key_width, shape.key_width), dim=-1
        )
        query = rotate(query.view(windows * slots, shape.query_heads, -1), angles)
        key = rotate(key.view(windows * slots, shape.key_heads, -1), angles)
        end = start + slots
        keys[:, :, start:end] = key.view(windows, slots, shape.key_heads, -1).transpose(1, 2)
        values[:, :, start:end] = value.view(windows, slots, shape.key_heads, -1).transpose(1, 2)
        attended = F.scaled_dot_product_attention(
            query.view(windows, slots, shape.query_heads, -1).transpose(1, 2),
            keys[:, :, :end],
            values[:, :, :end],
            is_causal=start == 0,
            enable_gqa=True,
        )
        return F.linear(attended.transpose(1, 2).reshape(windows * slots, -1), layer.o)

    def _feed_forward(self, states: Tensor, layer: Layer) -> Tensor:
        x = rms_norm(states, layer.mlp_norm, self._shape.norm_epsilon)
        gate, up = F.linear(x, layer.gate_up).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, layer.down)


def _parts(total: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, total, size)]
