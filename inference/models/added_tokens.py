"""The tokens of a tokenizer that no merge makes: markers, and some pieces of text.

They stand in ``tokenizer.json``, ``tokenizer_config.json``, ``added_tokens.json``, or all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.json_file import read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

MOST_IDS = 2**22
"""No vocabulary is larger; a larger id is damage, and would cost memory."""

_TEXT = re.compile(
    r"\s+|▁+|</?(?:table|caption|thead|tbody|tfoot|tr|th|td|h[1-6]|blockquote|strong|em|[biu]|s"
    r"|sub|sup|code)>"
)
"""Added tokens that are text and no markers: runs of blanks, and the HTML tags that Gemma has."""


def added_tokens(
    folder: Path, published: Mapping[str, Any], vocabulary: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """The ids of a tokenizer's markers, and those of its added tokens that are text.

    Args:
        folder: the model's.
        published: its ``tokenizer.json``.
        vocabulary: the ids of its other tokens; some may have the role of a marker.

    Raises:
        WeightsCorrupt: the files contradict each other.
    """
    config = read_object(folder / "tokenizer_config.json")
    ids: dict[str, int] = {}
    special: dict[str, bool] = {}
    for token, content, is_special in (
        *_listed(published.get("added_tokens") or ()),
        *((i, text, True) for text, i in read_object(folder / "added_tokens.json").items()),
        *(
            (int(i), entry["content"], bool(entry.get("special")))
            for i, entry in (config.get("added_tokens_decoder") or {}).items()
        ),
    ):
        known = ids.setdefault(content, vocabulary.get(content, token))
        if not is_id(token) or known != token:
            raise WeightsCorrupt(f"the tokenizer in {folder} has two ids for {content}")
        # The last file has the last word: added_tokens.json does not tell markers from text.
        special[content] = is_special
    for content in (
        *_named_tokens(config),
        *_named_tokens(read_object(folder / "special_tokens_map.json")),
    ):
        if content in vocabulary:
            ids.setdefault(content, vocabulary[content])
        if content in ids:
            special[content] = True
    is_text = {content: not special[content] and bool(_TEXT.fullmatch(content)) for content in ids}
    return (
        {content: token for content, token in ids.items() if not is_text[content]},
        {content: token for content, token in ids.items() if is_text[content]},
    )


def _listed(entries: Iterable[dict[str, Any]]) -> Iterator[tuple[int, str, bool]]:
    for entry in entries:
        yield entry["id"], entry["content"], bool(entry.get("special"))


def _named_tokens(config: Mapping[str, Any]) -> Iterator[str]:
    """The tokens that a configuration has a role for, such as ``eos_token``."""
    for role, token in config.items():
        if not role.endswith("_token") and role != "additional_special_tokens":
            continue
        for one in token if isinstance(token, list) else [token]:
            content = one.get("content") if isinstance(one, dict) else one
            if isinstance(content, str):
                yield content


def is_id(token: object) -> bool:
    """Whether it can be a token id."""
    return isinstance(token, int) and 0 <= token < MOST_IDS
