"""Which tokens of a tokenizer the end head has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.inference.models.embedded.end_features import TokenTables

if TYPE_CHECKING:
    from midfill.inference.tokenizer import Tokenizer


def token_tables(tokenizer: Tokenizer) -> TokenTables:
    """The tables of a tokenizer's vocabulary."""
    texts = list(enumerate(tokenizer.vocabulary_bytes))
    return TokenTables(
        breaks=torch.tensor([i for i, text in texts if text.lstrip(b" \t").startswith(b"\n")]),
        with_break=torch.tensor([i for i, text in texts if b"\n" in text]),
        blank=torch.tensor([i for i, text in texts if text and not text.strip()]),
        ends=torch.tensor(sorted(tokenizer.ends)),
    )
