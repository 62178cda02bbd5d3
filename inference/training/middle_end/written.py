"""A hole as tokens: what the model reads, what it would have to write, and where that ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.prefix_window import CHARACTERS_PER_TOKEN
from midfill.inference.prompt import Windows, build_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.training.middle_end.holes import EndHole

WINDOWS = Windows(prefix=100, suffix=48)
"""Shorter than the product's, to save time."""

BEHIND = 20
"""Tokens of what follows the middle."""

LONGEST = 80
"""Tokens of a middle; holes with longer ones are left out."""


@dataclass(frozen=True, slots=True)
class Written:
    """Tokens of one hole.

    Slot 0 is the prompt's last token, slot ``i`` the ``i``-th token that is written.

    Attributes:
        prompt: as the product builds it.
        suffix: the suffix's tokens in it.
        owed: bytes that the first written tokens repeat.
        tokens: the middle and what follows it, as the tokenizer cuts both in one piece.
        end: the first slot with which the whole middle is written. Its token may go on a little.
    """

    prompt: tuple[int, ...]
    suffix: tuple[int, ...]
    owed: int
    tokens: tuple[int, ...]
    end: int


def written(tokenizer: Tokenizer, hole: EndHole) -> Written | None:
    """Put a hole into tokens; None if its middle is too long."""
    prompt = build_prompt(tokenizer, hole.prefix, hole.suffix, windows=WINDOWS)
    owed = prompt.owed.decode()
    behind = hole.suffix[: BEHIND * CHARACTERS_PER_TOKEN]
    tokens = tokenizer.encode(owed + hole.middle + behind)
    wanted = len((owed + hole.middle).encode())
    end = _covering(tokenizer, tokens, wanted)
    if end > LONGEST:
        return None
    middle_marker = prompt.tokens.index(tokenizer.fim_middle)
    return Written(
        prompt=tuple(prompt.tokens),
        suffix=tuple(prompt.tokens[2:middle_marker]),
        owed=len(prompt.owed),
        tokens=tuple(tokens[: end + BEHIND]),
        end=end,
    )


def _covering(tokenizer: Tokenizer, tokens: Sequence[int], wanted: int) -> int:
    """How many tokens it takes for ``wanted`` bytes."""
    count = 0
    while wanted > 0:
        wanted -= len(tokenizer.token_bytes(tokens[count]))
        count += 1
    return count
