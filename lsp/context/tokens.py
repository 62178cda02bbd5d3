"""How many tokens a text comes to, as far as that can be told without a tokenizer."""

from __future__ import annotations

CHARACTERS_PER_TOKEN = 3.2
"""Of source code, with the embedded model's tokenizer, about."""

FRAME_TOKENS = 2
"""A marker before each file and a line break behind it."""


def estimated_tokens(text: str, characters_per_token: float = CHARACTERS_PER_TOKEN) -> int:
    """Rounded up."""
    return int(-(-len(text) // characters_per_token))


def characters_in(tokens: int, characters_per_token: float = CHARACTERS_PER_TOKEN) -> int:
    """So much text a number of tokens stands for."""
    return int(tokens * characters_per_token)
