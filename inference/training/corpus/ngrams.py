"""Runs of tokens as numbers, which compare fast."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOKEN = re.compile(r"[^\W\d]\w*|\d+|[^\s\w]")
"""Names, numbers, and every other character by itself."""

WORD = re.compile(r"\w+")

_BASE = 0x9E3779B97F4A7C15
_MIX = 0xFF51AFD7ED558CCD


def ngram_hashes(tokens: list[str], n: int) -> NDArray[np.uint64]:
    """A 64-bit number for every run of ``n`` tokens, the same on every machine.

    Returns:
        (len(tokens) - n + 1,), or (0,) if there are fewer tokens.
    """
    count = len(tokens) - n + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    ids = {token: zlib.crc32(token.encode("utf-8", "surrogatepass")) for token in set(tokens)}
    numbers = np.fromiter((ids[token] for token in tokens), dtype=np.uint64, count=len(tokens))
    hashes = np.zeros(count, dtype=np.uint64)
    for i in range(n):  # wraps around at 2⁶⁴, which is meant
        hashes = hashes * np.uint64(_BASE) + numbers[i : i + count]
    hashes ^= hashes >> np.uint64(33)
    hashes *= np.uint64(_MIX)
    hashes ^= hashes >> np.uint64(33)
    return hashes
