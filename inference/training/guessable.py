"""Which tokens can be guessed: the most frequent ones of the corpus.

Guessing among all of the vocabulary would cost the sampler head a fifth of the model's weights for
each guess; a seventh of the words covers nearly all of what is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor

    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.training.corpus.source_text import SourceText

CHARACTERS_PER_FILE = 20_000
CHARACTERS_PER_LANGUAGE = 12_000_000


def most_frequent_tokens(
    files: Iterable[SourceText],
    languages: Mapping[str, float],
    tokenizer: Tokenizer,
    *,
    vocabulary: int,
    count: int,
    working: Callable[[], None],
) -> Tensor:
    """The ``count`` tokens that are written most, languages weighted; (count,) long, rising.

    Tokens that were never seen follow in the order of their ids, which is that of the tokenizer's
    own merges: common ones first.
    """
    counts = {language: torch.zeros(vocabulary, dtype=torch.double) for language in languages}
    left = dict.fromkeys(languages, CHARACTERS_PER_LANGUAGE)
    for file in files:
        if left.get(file.language, 0) <= 0:
            continue
        text = file.text[:CHARACTERS_PER_FILE]
        left[file.language] -= len(text)
        tokens = torch.tensor(tokenizer.encode(text), dtype=torch.long)
        counts[file.language] += torch.bincount(tokens, minlength=vocabulary)
        working()
    frequency = torch.zeros(vocabulary, dtype=torch.double)
    for language, weight in languages.items():
        frequency += weight * counts[language] / counts[language].sum().clamp(min=1)
    return frequency.argsort(descending=True, stable=True)[:count].sort().values
