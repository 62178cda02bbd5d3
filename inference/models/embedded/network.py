"""What computes the embedded model's layers: the part that differs from processor to processor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from midfill.kernels.canvas_attention import attention_bias

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from midfill.inference.models.embedded.sampler_head import Sampler
    from midfill.kernels.rotary import RotaryTable
    from midfill.kernels.unmask import Unmasked


@dataclass(slots=True)
class Sight:
    """Where the slots of a pass stand and whom they see; shared by the layers that they go through.

    Attributes:
        angles: of the slots' positions.
        visible: (slots, slots) bool, on the CPU; which slot (row) sees which. All see the context.
        context: cached tokens.
        known: how many of the slots are known tokens; they come first.
        causal: whether there is no context and every slot sees itself and all before it.
    """

    angles: RotaryTable
    visible: Tensor
    context: int
    known: int
    causal: bool
    _bias: Tensor | None = field(default=None, init=False)

    def bias(self, group: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """`attention_bias` of this pass, laid out when it is first asked for."""
        if self._bias is None:
            self._bias = attention_bias(self.visible.to(device), self.context, group, dtype)
        return self._bias


class Network(Protocol):
    """The layers and heads of the base, with the adapter's updates in them."""

    @property
    def device(self) -> torch.device: ...

    @property
    def cache_dtype(self) -> torch.dtype:
        """What keys and values are kept in."""
        ...

    @property
    def sampler(self) -> Sampler: ...

    def embed(self, tokens: Sequence[int]) -> Tensor:
        """(len(tokens), width)."""
        ...

    def entering(self, behind: Tensor, masks: int) -> Tensor:
        """The states of mask slots as they enter.

        Args:
            behind: (groups, width), of the known slots that they stand behind.
            masks: how many stand behind each.

        Returns:
            (groups * masks, width).
        """
        ...

    def layer(
        self, number: int, states: Tensor, sight: Sight, keys: Tensor, values: Tensor
    ) -> Tensor:
        """One layer. Writes the slots' keys and values behind the context's.

        Args:
            number: counted from 0.
            states: (slots, width); may be changed.
            sight: where the slots stand, and whom they see.
            keys, values: (key_heads, capacity, head_size) of this layer.

        Returns:
            (slots, width).
        """
        ...

    def normalised(self, states: Tensor) -> Tensor:
        """States behind the final norm, (rows, width)."""
        ...

    def logits(self, states: Tensor) -> Tensor:
        """(rows, vocabulary) float32, from normalised states."""
        ...

    def unmask(self, states: Tensor, permitted: Sequence[Tensor]) -> Unmasked:
        """The best token of each row of normalised states, its probability and the entropy.

        Args:
            states: (rows, width).
            permitted: of the first so many rows the tokens that may be taken.
        """
        ...

    def best_guess(self, state: Tensor) -> int:
        """Among the tokens that can be guessed, where in their list the likeliest stands.

        Args:
            state: (width,), of `Sampler.next_state`.
        """
        ...
