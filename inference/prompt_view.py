"""A prompt's token ids as people read them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.prompt import Prompt
    from midfill.inference.tokenizer import Tokenizer


def shown_prompt(tokenizer: Tokenizer, prompt: Prompt, model: str) -> ShownPrompt:
    """Every token of a prompt, none left out and none made up.

    Args:
        tokenizer: the one that the prompt was made with.
        model: its name.
    """
    markers = _markers(tokenizer)
    part = PromptPart.PREFIX
    pieces: list[PromptPiece] = []
    for is_marker, run in groupby(prompt.tokens, key=markers.__contains__):
        tokens = list(run)
        if is_marker:
            for token in tokens:
                name, part = markers[token]
                pieces.append(PromptPiece(part=PromptPart.MARKER, text=name, tokens=1))
        else:
            pieces.append(PromptPiece(part=part, text=_text(tokenizer, tokens), tokens=len(tokens)))
    owed = prompt.owed.decode()
    return ShownPrompt(
        model=model,
        pieces=tuple(pieces),
        owed=owed,
        owed_tokens=len(tokenizer.encode(owed)),
    )


def _markers(tokenizer: Tokenizer) -> dict[int, tuple[str, PromptPart]]:
    """The name of each marker, and what follows it."""
    return {
        tokenizer.repo_name: ("<|repo_name|>", PromptPart.CONTEXT),
        tokenizer.file_sep: ("<|file_sep|>", PromptPart.CONTEXT),
        tokenizer.fim_prefix: ("<|fim_prefix|>", PromptPart.PREFIX),
        tokenizer.fim_suffix: ("<|fim_suffix|>", PromptPart.SUFFIX),
        tokenizer.fim_middle: ("<|fim_middle|>", PromptPart.PREFIX),
    }


def _text(tokenizer: Tokenizer, tokens: Sequence[int]) -> str:
    return b"".join(map(tokenizer.token_bytes, tokens)).decode("utf-8", "backslashreplace")
