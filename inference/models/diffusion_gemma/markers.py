"""The tokens that mark turns in DiffusionGemma's prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import WeightsCorrupt

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.hub_tokenizer import HubTokenizer


@dataclass(frozen=True, slots=True)
class Markers:
    """Token ids.

    Attributes:
        begin: of everything.
        turn, turn_end: around what one side says.
        channel, channel_end: around what the model thinks.
        end, pad: of everything, and behind it.

    Source: Gemma 4's published prompt format, which DiffusionGemma shares.
    """

    begin: int
    turn: int
    turn_end: int
    channel: int
    channel_end: int
    end: int
    pad: int

    @property
    def endings(self) -> frozenset[int]:
        """What stands behind a finished answer."""
        return frozenset((self.turn_end, self.end, self.pad))

    @property
    def names(self) -> dict[int, str]:
        return {getattr(self, field): name for field, name in _NAMES.items()}

    @classmethod
    def of(cls, tokenizer: HubTokenizer, folder: Path) -> Markers:
        """Look them up.

        Raises:
            WeightsCorrupt: the tokenizer lacks one.
        """
        ids: dict[str, int] = {}
        for field, name in _NAMES.items():
            token = tokenizer.special(name)
            if token is None:
                raise WeightsCorrupt(
                    f"the tokenizer in {folder} has no token {name}; it is not DiffusionGemma's, "
                    "pull the model again"
                )
            ids[field] = token
        return cls(**ids)


_NAMES = {
    "begin": "<bos>",
    "turn": "<|turn>",
    "turn_end": "<turn|>",
    "channel": "<|channel>",
    "channel_end": "<channel|>",
    "end": "<eos>",
    "pad": "<pad>",
}
