"""The sampler head: each guess of a group knows the token before it.

The masks of a group are filled in one pass, each without knowing what the others will say. The head
puts that right behind the pass, at the price of a few small products: it goes through the group
from left to right with a running state, which starts as the state of the known slot that the group
stands behind and takes in one token at a time, the first being the next certain token.

Source: the sampler head of masked multi-token prediction, arXiv 2507.11851; sequentially dependent
draft heads, arXiv 2402.05109.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

EPSILON = 1e-6


class Sampler(Protocol):
    """Goes through a group of masks from left to right."""

    def next_state(self, mask_state: Tensor, token_embedding: Tensor, state: Tensor) -> Tensor:
        """The running state that predicts what stands behind a mask slot.

        Args:
            mask_state: (width,), the mask slot's, behind the final norm.
            token_embedding: (width,), of the token at the mask slot's own place.
            state: (width,), the running state so far.

        Returns:
            (width,); its product with a row of the head is that token's logit.
        """
        ...


@dataclass(frozen=True, slots=True)
class SamplerHead:
    """A `Sampler` in plain torch.

    Attributes:
        mask, token, state: (width, hidden), what a mask's state, the embedding of the token before
            and the running state contribute.
        out: (hidden, width).
    """

    mask: Tensor
    token: Tensor
    state: Tensor
    out: Tensor

    def next_state(self, mask_state: Tensor, token_embedding: Tensor, state: Tensor) -> Tensor:
        """See `Sampler`; any leading dimensions."""
        hidden = (
            unit(mask_state) @ self.mask
            + unit(token_embedding) @ self.token
            + unit(state) @ self.state
        )
        return mask_state + F.silu(hidden) @ self.out


def unit(x: Tensor) -> Tensor:
    """``x`` scaled to unit root mean square."""
    return F.rms_norm(x, x.shape[-1:], eps=EPSILON)
