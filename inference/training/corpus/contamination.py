"""Keeping what Midfill is measured by out of what it learns from."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from midfill.inference.errors import UsageError
from midfill.inference.training.corpus.ngrams import WORD, ngram_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

RUN = 10
"""Words in a run that a file may not share with a problem. Punctuation and layout do not count."""

DISTINCT = 5
"""Different words of two letters or more that a run needs, or else it is found everywhere."""

_TELLING = re.compile(r"[^\W\d_]\w+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """Tells whether a text shares a run of words with any of the problems."""

    runs: NDArray[np.uint64]
    """Sorted and unique."""

    def contaminates(self, text: str) -> bool:
        """Whether the text shares a run with a problem."""
        hashes = ngram_hashes(WORD.findall(text.lower()), RUN)
        if not len(self.runs) or not len(hashes):
            return False
        places = np.minimum(np.searchsorted(self.runs, hashes), len(self.runs) - 1)
        return bool(np.any(self.runs[places] == hashes))


def overlap_with(problems: Iterable[str]) -> Overlap:
    """Learn the runs of words of prompts, solutions, tests and whatever else problems have."""
    found: set[int] = set()
    for problem in dict.fromkeys(problems):
        words = WORD.findall(problem.lower())
        hashes = ngram_hashes(words, RUN).tolist()
        found.update(run for i, run in enumerate(hashes) if _is_telling(words[i : i + RUN]))
    return Overlap(np.array(sorted(found), dtype=np.uint64))


def problems_in_folder(folder: Path) -> list[str]:
    """All strings in all ``.jsonl`` and ``.jsonl.gz`` files under a folder.

    Raises:
        UsageError: there are none, or one cannot be read.
    """
    files = [one for one in sorted(folder.rglob("*")) if one.name.endswith((".jsonl", ".jsonl.gz"))]
    if not files:
        raise UsageError(f"{folder} has no .jsonl or .jsonl.gz files with problems: name another")
    found: dict[str, None] = {}
    for file in files:
        try:
            found.update(dict.fromkeys(problems_in_file(file.name, file.read_bytes())))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} cannot be read as JSON lines ({error})") from error
    return list(found)


def problems_in_file(name: str, data: bytes) -> list[str]:
    """All strings in one file.

    Raises:
        ValueError: it is damaged.
    """
    try:
        lines = (gzip.decompress(data) if name.endswith(".gz") else data).split(b"\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(str(error)) from error
    found: dict[str, None] = {}
    for line in lines:
        if line.strip():
            found.update(dict.fromkeys(_strings(json.loads(line))))
    return list(found)


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _is_telling(words: list[str]) -> bool:
    return sum(bool(_TELLING.fullmatch(word)) for word in set(words)) >= DISTINCT
