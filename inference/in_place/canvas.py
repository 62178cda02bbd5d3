"""A canvas in place: a hole's slots between the tokens before and behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an unmasked slot holds from now on.

    Attributes:
        token: the token.
        log_probability: the model's for it when it was accepted, at temperature 1; nats.
    """

    token: int
    log_probability: float


@dataclass(frozen=True, slots=True)
class HoleCanvas:
    """The slots of a hole, which of them are still masked, and what stands on both sides.

    Attributes:
        prefix, suffix: token ids around the hole.
        slots: one entry a slot, in reading order; None where it is masked.
    """

    prefix: tuple[int, ...]
    slots: tuple[Accepted | None, ...]
    suffix: tuple[int, ...]

    @classmethod
    def masked(cls, prefix: Sequence[int], length: int, suffix: Sequence[int]) -> HoleCanvas:
        """A canvas of ``length`` masks."""
        return cls(tuple(prefix), (None,) * length, tuple(suffix))

    @property
    def start(self) -> int:
        """The position of the first slot."""
        return len(self.prefix)

    @property
    def length(self) -> int:
        """How many positions there are in all."""
        return len(self.prefix) + len(self.slots) + len(self.suffix)

    @property
    def masked_slots(self) -> tuple[int, ...]:
        """The slots that are still masked, rising."""
        return tuple(index for index, slot in enumerate(self.slots) if slot is None)

    @property
    def settled(self) -> bool:
        """Whether no slot is masked any more."""
        return all(slot is not None for slot in self.slots)

    def tokens(self, mask: int) -> list[int]:
        """All token ids, ``mask`` in place of what is not known."""
        middle = (mask if slot is None else slot.token for slot in self.slots)
        return [*self.prefix, *middle, *self.suffix]

    def accept(self, accepted: Mapping[int, Accepted]) -> HoleCanvas:
        """The canvas with some of its masked slots filled."""
        slots = tuple(accepted.get(index, slot) for index, slot in enumerate(self.slots))
        return replace(self, slots=slots)


def current_block(canvas: HoleCanvas, size: int | None, ahead: int = 0) -> range:
    """The slots of the leftmost block that has a mask left, perhaps with the next block.

    Blocks are finished from left to right; the last one may be shorter.

    Args:
        canvas: with at least one mask.
        size: slots of a block; None makes one block of all.
        ahead: with no more masks left than this, the next block is begun along.

    Source: semi-autoregressive decoding, LLaDA, arXiv 2502.09992.
    """
    slots = len(canvas.slots)
    if size is None or size >= slots:
        return range(slots)
    start = canvas.masked_slots[0] // size * size
    block = range(start, min(start + size, slots))
    left = sum(index in block for index in canvas.masked_slots)
    return range(start, min(start + 2 * size, slots)) if left <= ahead else block
