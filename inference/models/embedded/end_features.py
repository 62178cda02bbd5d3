"""What the next token's distribution says about the suffix: the end head's scalar inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LOOKED_AT = 8
"""Tokens of the suffix that are looked up in the logits."""

NAMES = (
    "first",
    "second",
    "third",
    "visible",
    "all",
    "rank",
    "certainty",
    "leads",
    "break",
    "contains_break",
    "end",
    "starts_blank",
)
"""The features' names, in order; see `scalar_features`."""


@dataclass(frozen=True, slots=True)
class TokenTables:
    """Ids of tokens that mean something here, (tokens,) long each.

    Attributes:
        breaks: text that begins with a line break, blanks before it allowed.
        with_break: text that holds one.
        blank: nothing visible.
        ends: the tokens that end a middle.
    """

    breaks: Tensor
    with_break: Tensor
    blank: Tensor
    ends: Tensor


def scalar_features(logits: Tensor, suffix: Sequence[int], tables: TokenTables) -> Tensor:
    """Scalar features of each row.

    Log-probabilities, in nats, of the suffix's first, second and third token, of its first visible
    one and of its first eight on average, each as the very next token; the logarithm of the first
    one's rank; the log-probability of the likeliest token; whether that is the suffix's first; the
    log-probability of a line break next, of any token that holds one, and of the end tokens;
    whether the suffix begins blank. What a short suffix lacks counts as its last token.

    Args:
        logits: (n, vocab) float32.
        suffix: the suffix's first tokens, at least one; those behind the eighth do not matter.
        tables: of the vocabulary.

    Returns:
        (n, len(NAMES)) float32.
    """
    tokens = list(suffix[:LOOKED_AT])
    blank = torch.isin(torch.tensor(tokens), tables.blank).tolist()
    visible = next((i for i, is_blank in enumerate(blank) if not is_blank), len(tokens) - 1)
    # Over a whole vocabulary these are several times faster than `logsumexp`, `max` and a sum of
    # bools.
    total = logits[:, :1] - logits.log_softmax(-1)[:, :1]
    top = logits.amax(-1)
    found = logits[:, tokens] - total
    first = logits[:, tokens[0]]
    likelier = torch.gt(logits, first[:, None], out=torch.empty_like(logits))
    last = len(tokens) - 1
    return torch.stack(
        (
            found[:, 0],
            found[:, min(1, last)],
            found[:, min(2, last)],
            found[:, visible],
            found.mean(-1),
            likelier.sum(-1).log1p(),
            top - total[:, 0],
            (first == top).float(),
            logits[:, tables.breaks].logsumexp(-1) - total[:, 0],
            logits[:, tables.with_break].logsumexp(-1) - total[:, 0],
            logits[:, tables.ends].logsumexp(-1) - total[:, 0],
            torch.full_like(top, float(blank[0])),
        ),
        dim=-1,
    )
