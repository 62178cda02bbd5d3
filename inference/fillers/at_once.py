"""How many fills of a big model gain by sharing its passes."""

from __future__ import annotations

import torch

SHARE_OF_FREE = 0.5
"""Of a card's free memory, for what fills keep between their steps; the rest is for the steps."""


def fills_at_once(device: torch.device, fill_bytes: int, most: int) -> int:
    """Fills that may share passes: a power of two, since buffers are made for so many.

    On a card a step over a few dozen slots takes as long as the weights take to be read, and a
    few fills read them in the time of one. On a CPU such a step of a big model is arithmetic
    through and through: two fills in one pass take as long as one after the other, and both of
    them come late. So there, and on devices whose free memory nobody tells, it is one.

    Args:
        device: where the model is, its weights loaded.
        fill_bytes: what a fill keeps between its steps, at most.
        most: fills from which on a pass takes longer by as much as it holds more.
    """
    if device.type != "cuda":
        return 1
    free: int = torch.cuda.mem_get_info(device)[0]
    # What torch has set aside and nobody uses is as good as free.
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    fitting = min(most, int(SHARE_OF_FREE * free) // max(1, fill_bytes))
    return 1 << (max(1, fitting).bit_length() - 1)
