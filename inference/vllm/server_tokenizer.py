"""The served model's tokenizer, which only the server has.

Text goes to ``/tokenize`` and comes back from ``/detokenize``; prompts are sent as token ids. So
what stands in a file cannot turn into a special token: text that spells one is cut in two first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachetools import LRUCache

from midfill.inference.errors import EngineUnavailable
from midfill.inference.text.utf8 import need_utf8
from midfill.inference.vllm.answers import Detokenized, Tokenized
from midfill.inference.vllm.special_text import harmless_pieces, spelling

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from midfill.inference.vllm.client import Client
    from midfill.inference.vllm.patience import Patience

KEPT_IDS = 2**18
"""Of texts lately sent; mostly the suffix and other files of the documents at hand."""

KEPT_NAMES = 4096
"""Strings of which is remembered whether they are special tokens."""

ANCHOR = "\n"
"""Stands in front of text so that no tokenizer puts a blank there, or takes one away."""


class ServerTokenizer:
    """Text to token ids and back.

    Attributes:
        markers: the special tokens that the model has, by name.
        begin: what stands at the start of every prompt.
    """

    def __init__(
        self, client: Client, model: str, markers: Mapping[str, int], begin: Sequence[int]
    ) -> None:
        self.markers = dict(markers)
        self.begin = list(begin)
        self._client = client
        self._model = model
        self._anchor: list[int] | None = None
        self._known: LRUCache[str, list[int]] = LRUCache(KEPT_IDS, lambda ids: 1 + len(ids))
        self._single: LRUCache[str, bool] = LRUCache(KEPT_NAMES)
        self._spelled = spelling(markers)

    def forget(self) -> None:
        """Let go of the texts that are remembered."""
        self._known.clear()
        self._single.clear()

    def encode(self, text: str, patience: Patience, *, spaced: bool = False) -> list[int]:
        """The ids of a text that stands in the middle of others.

        Args:
            text: of the user's; nothing in it becomes a special token.
            patience: how long to wait.
            spaced: a blank may stand before it.

        Raises:
            InvalidText: it has no UTF-8 form.
            MidfillError: the server does not answer as vLLM does.
        """
        need_utf8(text)
        pieces = harmless_pieces(
            text, self._spelled, lambda names: self._single_tokens(names, patience)
        )
        anchored = self._anchored(pieces[1:] if spaced else pieces, patience)
        first = [self._plain(pieces[:1], patience)[pieces[0]]] if spaced and pieces else []
        rest = [anchored[piece] for piece in (pieces[1:] if spaced else pieces)]
        return [token for part in (*first, *rest) for token in part]

    def decode(self, ids: Sequence[int], patience: Patience) -> str:
        """The text of ids that stand in the middle of others; they hold no marker.

        Raises:
            EngineUnavailable: the server does not give back what it was given.
        """
        if not ids:
            return ""
        body = {"model": self._model, "tokens": [*self._anchor_ids(patience), *ids]}
        text = self._client.post(Detokenized, "/detokenize", body, patience).prompt
        need_utf8(text)
        blanks, anchor, rest = text.partition(ANCHOR)
        if not anchor or blanks.strip(" "):
            raise EngineUnavailable(
                f"the vLLM server at {self._client.host} turns ids into other text than it made "
                "them of: serve the model with its own tokenizer"
            )
        return rest

    def _single_tokens(self, names: Collection[str], patience: Patience) -> dict[str, bool]:
        """Which of some strings are one token each."""
        known = {name: self._single[name] for name in names if name in self._single}
        asked = self._asked([name for name in names if name not in known], patience)
        found = {name: len(ids) == 1 for name, ids in asked.items()}
        self._single.update(found)
        return known | found

    def _anchored(self, texts: Sequence[str], patience: Patience) -> dict[str, list[int]]:
        """The ids of each text as it is in the middle of others."""
        if not texts:
            return {}
        anchor = self._anchor_ids(patience)
        seen = self._plain([ANCHOR + text for text in texts], patience)
        found = {
            text: seen[ANCHOR + text][len(anchor) :]
            for text in texts
            if seen[ANCHOR + text][: len(anchor)] == anchor
        }
        # in the others the anchor has become one token with what follows
        return found | self._plain([text for text in texts if text not in found], patience)

    def _anchor_ids(self, patience: Patience) -> list[int]:
        if self._anchor is None:
            self._anchor = self._plain([ANCHOR], patience)[ANCHOR]
        return self._anchor

    def _plain(self, texts: Sequence[str], patience: Patience) -> dict[str, list[int]]:
        """The ids of each text as the server makes them, or has lately made them."""
        known = {text: ids for text in texts if (ids := self._known.get(text)) is not None}
        asked = self._asked([text for text in texts if text not in known], patience)
        for text, ids in asked.items():
            if len(ids) < KEPT_IDS:
                self._known[text] = ids
        return known | asked

    def _asked(self, texts: Sequence[str], patience: Patience) -> dict[str, list[int]]:
        """The ids of each text as the server makes them; all are asked for at the same time."""
        different = list(dict.fromkeys(texts))
        answers = self._client.post_all(
            Tokenized,
            "/tokenize",
            [
                {"model": self._model, "prompt": text, "add_special_tokens": False}
                for text in different
            ],
            patience,
        )
        return {text: answer.tokens for text, answer in zip(different, answers, strict=True)}
