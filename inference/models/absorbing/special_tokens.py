"""The special tokens of an absorbing-mask model, read from its own files.

Never imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError, WeightsCorrupt

if TYPE_CHECKING:
    from midfill.inference.models.absorbing.family import Config, Family
    from midfill.inference.models.hub_tokenizer import HubTokenizer


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids.

    Attributes:
        mask: what an unknown slot holds.
        end: behind the text.
        pad: what fills up the room behind the end; often the same.
        bos: in front of the text; None if nothing stands there.
        expand: a slot that should have been two; None if the model has no such token.
        delete: a slot that should not be there; None if the model has no such token.
    """

    mask: int
    end: int
    pad: int
    bos: int | None = None
    expand: int | None = None
    delete: int | None = None


def special_tokens(
    family: Family, config: Config, generation: Config, tokenizer: HubTokenizer, vocabulary: int
) -> SpecialTokens:
    """Find the special tokens of a checkpoint.

    Args:
        family: whose it is.
        config: its ``config.json``.
        generation: its ``generation_config.json``; empty if there is none.
        tokenizer: its tokenizer.
        vocabulary: rows of the embedding.

    Raises:
        UsageError: the tokenizer has no mask token.
        WeightsCorrupt: the files contradict each other.
    """
    markers = family.markers

    def configured(name: str) -> int | None:
        return _token_id(config, name) if name in config else _token_id(generation, name)

    def marked(content: str | None) -> int | None:
        return None if content is None else tokenizer.special(content)

    mask = _mask(family, configured("mask_token_id"), tokenizer)
    end = _first(configured("eos_token_id"), marked(markers.end))
    if end is None:
        raise WeightsCorrupt(
            "config.json names no eos_token_id, and the tokenizer has no "
            f"{markers.end}; pull the model again"
        )
    pad = _first(marked(markers.pad), configured("pad_token_id"), end)
    expand = None
    if markers.expand is not None:
        expand = _first(configured("expand_token_id"), marked(markers.expand))
    delete = None if expand is None else _first(configured("delete_token_id"), end)
    found = SpecialTokens(
        mask, end, end if pad is None else pad, marked(markers.bos), expand, delete
    )
    for role in ("mask", "end", "pad", "bos", "expand", "delete"):
        token = getattr(found, role)
        if token is not None and token >= vocabulary:
            raise WeightsCorrupt(
                f"the {role} token has the id {token}, but the model has {vocabulary} tokens; "
                "its configuration and its tokenizer are not of the same model"
            )
    return found


def _mask(family: Family, configured: int | None, tokenizer: HubTokenizer) -> int:
    content = family.markers.mask
    marked = None if content is None else tokenizer.special(content)
    if content is not None and marked is None:
        raise UsageError(
            f"the tokenizer has no mask token {content}, so this is no {family.name} model that "
            "can fill"
        )
    if configured is None and marked is None:
        raise UsageError(
            f"config.json has no mask_token_id, so this is no {family.name} model that can fill"
        )
    if configured is not None and marked is not None and configured != marked:
        raise WeightsCorrupt(
            f"config.json says that the mask token is {configured}, the tokenizer {marked}; "
            "they are not of the same model"
        )
    mask = configured if marked is None else marked
    assert mask is not None
    if mask < tokenizer.size and tokenizer.token_bytes(mask):
        raise WeightsCorrupt(
            f"config.json says that the mask token is {mask}, which the tokenizer has as text; "
            "they are not of the same model"
        )
    return mask


def _token_id(config: Config, name: str) -> int | None:
    """An id; of several the first, which is the main one."""
    value = config.get(name)
    if isinstance(value, list) and value:
        value = value[0]
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise WeightsCorrupt(
        f"{name} of the model's configuration is no token id; pull the model again"
    )


def _first(*candidates: int | None) -> int | None:
    return next((token for token in candidates if token is not None), None)


def banned_tokens(
    tokens: SpecialTokens, tokenizer: HubTokenizer, vocabulary: int
) -> frozenset[int]:
    """What may never be put in a hole: all that is no text, but for what ends or resizes one.

    Those are the mask, the markers of chats and of fills, and the rows of the embedding that no
    token of the tokenizer belongs to.
    """
    texts = tokenizer.vocabulary_bytes
    kept = {tokens.end, tokens.expand, tokens.delete}
    return frozenset(
        token
        for token in range(vocabulary)
        if (token >= len(texts) or not texts[token]) and token not in kept
    )
