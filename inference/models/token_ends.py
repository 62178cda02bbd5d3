"""Which tokens of a vocabulary begin, or end, with given bytes."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class TokenEnds:
    """Two sorted lists of a vocabulary's texts, made when they are first needed."""

    def __init__(self, vocabulary: Sequence[bytes]) -> None:
        """Takes the bytes of each id; empty for ids that never stand for text."""
        self._vocabulary = vocabulary

    def beginning_with(self, text: bytes) -> Tensor:
        """(tokens,) long, rising by their bytes. ``text`` is not empty."""
        return _span(self._forwards, text)

    def ending_with(self, text: bytes) -> Tensor:
        """(tokens,) long. ``text`` is not empty."""
        return _span(self._backwards, text[::-1])

    @cached_property
    def _forwards(self) -> tuple[list[bytes], Tensor]:
        return _sorted(list(self._vocabulary))

    @cached_property
    def _backwards(self) -> tuple[list[bytes], Tensor]:
        return _sorted([text[::-1] for text in self._vocabulary])


def _sorted(texts: list[bytes]) -> tuple[list[bytes], Tensor]:
    order = sorted((i for i, text in enumerate(texts) if text), key=texts.__getitem__)
    return [texts[i] for i in order], torch.tensor(order, dtype=torch.long)


def _span(table: tuple[list[bytes], Tensor], text: bytes) -> Tensor:
    texts, tokens = table
    just_behind = text[:-1] + bytes([text[-1] + 1]) if text[-1] < 255 else text + b"\xff"
    return tokens[bisect_left(texts, text) : bisect_left(texts, just_behind)]
