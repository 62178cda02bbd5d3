"""Where text may spell a special token, whichever the served model has.

A server's tokenizer turns whatever spells one of its special tokens into that token. No server
tells which ones there are; they can be known by their form, much the same in all families.

Sources: the added tokens of the tokenizers of Qwen, Gemma, Llama, DeepSeek, Mistral, StarCoder, Phi
and GLM.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

# Looked for from each character on: one may begin inside of another.
CERTAIN = re.compile(r"(?=<[|｜][^<>\n]{1,64}>|<[^<>\n]{1,64}[|｜]>|</?s>)")
"""What is hardly ever anything else: ``<|vision_start|>``, ``<|tool>``, ``<image|>``, ``</s>``."""

POSSIBLE = re.compile(
    r"(?=(</?[\w▁][\w▁.:@/-]{0,62}>|\[/?[A-Za-z]?[A-Z_]{2,40}\]|\[control_\d{1,4}\]))"
)
"""What may as well be a tag, a type or an index: ``<start_of_image>``, ``<div>``, ``[INST]``."""


def spelling(names: Iterable[str]) -> re.Pattern[str] | None:
    """Finds where a text spells one of these names; None if there are none to be cut."""
    # SentencePiece writes a blank as ▁, and may read it so
    spelled = {form for name in names if len(name) > 1 for form in (name, name.replace("▁", " "))}
    return re.compile(f"(?={'|'.join(map(re.escape, sorted(spelled)))})") if spelled else None


def harmless_pieces(
    text: str,
    known: re.Pattern[str] | None,
    single_tokens: Callable[[Collection[str]], Mapping[str, bool]],
) -> list[str]:
    """A text, cut behind the first character of whatever spells a special token.

    Args:
        text: any.
        known: finds the special tokens that the model is known to have.
        single_tokens: tells which of some strings are one token each, as every special token is.
    """
    starts = {found.start() for found in CERTAIN.finditer(text)}
    if known is not None:
        starts.update(found.start() for found in known.finditer(text))
    possible = {found.start(): found[1] for found in POSSIBLE.finditer(text)}
    unsure = {name for start, name in possible.items() if start not in starts}
    if unsure:
        single = single_tokens(unsure)
        starts.update(start for start, name in possible.items() if single.get(name, True))
    pieces, start = [], 0
    for cut in (*sorted(at + 1 for at in starts), len(text)):
        if cut > start:
            pieces.append(text[start:cut])
            start = cut
    return pieces
