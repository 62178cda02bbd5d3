"""Finding files that are the same, or nearly.

Near-duplicates are found by MinHash over runs of tokens with locality-sensitive hashing: Broder,
"On the resemblance and containment of documents", 1997.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from midfill.inference.training.corpus.ngrams import TOKEN, ngram_hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

SHINGLE = 5
"""Tokens in a run."""

BANDS, ROWS = 16, 8
"""A pair with resemblance s meets in a band with probability 1 - (1 - s⁸)¹⁶: 95 % at 0.8."""

NEAR = 0.75
"""Resemblance from which on two files count as the same."""

_EXACT, _CLOSE = "exact duplicate", "near duplicate"


def duplicates(texts: Sequence[str], beat: Callable[[float], None] | None = None) -> dict[int, str]:
    """Which texts repeat an earlier one.

    Args:
        texts: those to be kept rather than their copies come first.
        beat: told the share of the work that is done, now and then.

    Returns:
        the places of the copies, each with ``exact duplicate`` or ``near duplicate``.
    """
    found: dict[int, str] = {}
    seen: set[bytes] = set()
    buckets: dict[tuple[int, bytes], int] = {}
    signatures: dict[int, NDArray[np.uint64]] = {}
    for place, text in enumerate(texts):
        if beat is not None and place % 64 == 0:
            beat(place / len(texts))
        digest = content_hash(text)
        if digest in seen:
            found[place] = _EXACT
            continue
        seen.add(digest)
        signature = minhash(text)
        if signature is None:
            continue
        keys = [(band, row.tobytes()) for band, row in enumerate(signature.reshape(BANDS, ROWS))]
        others = {buckets[key] for key in keys if key in buckets}
        if any(np.mean(signatures[other] == signature) >= NEAR for other in others):
            found[place] = _CLOSE
            continue
        signatures[place] = signature
        for key in keys:
            buckets.setdefault(key, place)
    return found


def content_hash(text: str) -> bytes:
    """The same for texts that differ in blank lines and spaces at the ends of lines only."""
    lines = (line.rstrip() for line in text.split("\n"))
    return hashlib.sha256("\n".join(line for line in lines if line).encode()).digest()


def minhash(text: str) -> NDArray[np.uint64] | None:
    """A signature whose share of equal places estimates two texts' resemblance.

    Returns:
        (BANDS × ROWS,); None for a text with less than one run of tokens.
    """
    shingles = np.unique(ngram_hashes(TOKEN.findall(text), SHINGLE))
    if not len(shingles):
        return None
    factors, offsets = _PERMUTATIONS
    signature = np.full(BANDS * ROWS, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(shingles), 4096):
        chunk = shingles[start : start + 4096]
        hashed = (chunk[:, None] * factors + offsets) >> np.uint64(16)  # (shingles, places)
        np.minimum(signature, hashed.min(axis=0), out=signature)
    return signature


def _permutations() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    def numbers(label: str) -> NDArray[np.uint64]:
        digests = (hashlib.blake2b(f"{label}{i}".encode()).digest() for i in range(BANDS * ROWS))
        return np.array([int.from_bytes(one[:8], "little") | 1 for one in digests], dtype=np.uint64)

    return numbers("factor"), numbers("offset")


_PERMUTATIONS = _permutations()
