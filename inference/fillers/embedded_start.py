"""What the embedded model's first step verifies along with encoding what was typed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from midfill.inference.lookup import Lookup
from midfill.inference.shared_steps import fills_sharing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.healing import Vocabulary
    from midfill.inference.models.loading import LoadedModel
    from midfill.inference.pace import Pace
    from midfill.inference.prompt import Prompt

MOST_BELIEVED = 64
"""Tokens of the last middle that are believed; a part of them is verified in a step."""


class Source(Enum):
    """Where what the first step verifies comes from."""

    NOWHERE = auto()
    CONTEXT = auto()
    """It followed the very same tokens last time."""
    TEXT = auto()
    """It followed the same text last time, but what is read along with it has changed."""
    LOOKUP = auto()
    """It follows the same tokens elsewhere."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the first step verifies, and whether no guesses are made beside it."""

    source: Source = Source.NOWHERE
    tokens: Sequence[int] = ()
    trusted: bool = False


class Finder:
    """Looks what may follow up in the prompt and in what has been written."""

    def __init__(self, pace: Pace, vocabulary: Vocabulary, prompt: Prompt) -> None:
        self._pace = pace
        self._vocabulary = vocabulary
        self._owed = prompt.owed
        self._lookup = Lookup(prompt.tokens)

    def __call__(self, certain: Sequence[int], guesses: Sequence[int]) -> Sequence[int]:
        self._lookup.append(certain)
        return self._lookup.continuation(guesses, self._pace.found_tokens(fills_sharing()))

    def start(self) -> Sequence[int]:
        """What may follow the prompt itself."""
        fits = self._spells_owed if self._owed else None
        return self._lookup.continuation((), self._pace.started_tokens(fills_sharing()), fits)

    def _spells_owed(self, tokens: Sequence[int]) -> bool:
        spelled = b"".join(map(self._vocabulary.bytes_of, tokens))
        length = min(len(spelled), len(self._owed))
        return length > 0 and spelled[:length] == self._owed[:length]


def finder(loaded: LoadedModel, prompt: Prompt) -> Finder | None:
    if loaded.pace is None or not loaded.looks_up:
        return None
    return Finder(loaded.pace, loaded.vocabulary, prompt)


def start_of(
    loaded: LoadedModel,
    prompt: Prompt,
    believed: Sequence[int],
    left: str,
    find: Finder | None,
) -> Start:
    """What the first step verifies.

    Args:
        loaded: the model.
        prompt: what it reads.
        believed: what followed this very prompt last time.
        left: what followed the prefix last time.
        find: looks up what may follow, if that is wanted.
    """
    if believed:
        trusted = loaded.pace is not None and loaded.pace.trusts_beliefs(fills_sharing())
        return Start(Source.CONTEXT, believed[:MOST_BELIEVED], trusted)
    if left:
        tokens = loaded.tokenizer.encode(prompt.owed.decode() + left)
        return Start(Source.TEXT, tokens[:MOST_BELIEVED])
    if find and (found := find.start()):
        return Start(Source.LOOKUP, found)
    return Start()
