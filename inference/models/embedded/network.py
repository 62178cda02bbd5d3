"""What computes the embedded model's layers: the part that differs from processor to processor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from midfill.kernels.canvas_attention import attention_bias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from torch import Tensor

    from midfill.inference.context_cache import ContextCache
    from midfill.inference.models.embedded.sampler_head import Sampler
    from midfill.kernels.rotary import RotaryTable
    from midfill.kernels.unmask import Unmasked


@dataclass(slots=True)
class Sight:
    """Where a canvas's slots stand and whom they see; shared by the layers that they go through.

    Attributes:
        angles: of the slots' positions.
        visible: (slots, slots) bool, on the CPU; which slot (row) sees which. All see the context.
        context: cached tokens.
        causal: whether there is no context and every slot sees itself and all before it.
    """

    angles: RotaryTable
    visible: Tensor
    context: int
    causal: bool
    _bias: Tensor | None = field(default=None, init=False)

    def bias(self, group: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """`attention_bias` of this pass, laid out when it is first asked for."""
        if self._bias is None:
            self._bias = attention_bias(self.visible.to(device), self.context, group, dtype)
        return self._bias


@dataclass(frozen=True, slots=True)
class Part:
    """One canvas of a pass; others may go through the layers along with it.

    Attributes:
        rows: (slots,) long, where the canvas's slots stand among those of the pass; None where
            they are all there is.
        sight: theirs.
        cache: the context before them. Their keys and values are written behind it.
    """

    rows: Tensor | None
    sight: Sight
    cache: ContextCache


def attend_apart(
    projected: Tensor, parts: Sequence[Part], attend: Callable[[Tensor, Part], Tensor]
) -> Tensor:
    """Attention of each part by itself, whose outcome stands where its slots stand.

    Args:
        projected: (slots, …) of all parts.
        parts: they share no slot.
        attend: given a part's rows of ``projected``, what its slots attended to.
    """
    attended: Tensor | None = None
    for part in parts:
        if part.rows is None:
            return attend(projected, part)
        found = attend(projected[part.rows], part)
        if attended is None:
            attended = found.new_empty(projected.shape[0], found.shape[1])
        attended[part.rows] = found
    assert attended is not None
    return attended


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

    def layer(self, number: int, states: Tensor, known: int, parts: Sequence[Part]) -> Tensor:
        """One layer. Writes the slots' keys and values behind the context's.

        Args:
            number: counted from 0.
            states: (slots, width); may be changed.
            known: how many of the slots are known tokens; they come first.
            parts: the canvases of which the slots are.

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
