"""Contexts that will be needed soon, encoded while the engine has nothing else to do.

The prefix window stays where it is while somebody types, until its text has grown too long; then
its start moves on, and all that is left of it has to be encoded anew, which takes as long as
opening a file. Where that is near, it is done ahead, piece by piece. What is encoded is what a
request would encode, so no text depends on whether there was time for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachetools import LRUCache

from midfill.inference.prompt import prompt_once_moved

if TYPE_CHECKING:
    from midfill.inference.models.interface import DenoisingModel
    from midfill.inference.prefix_cache import PrefixCache
    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.wire import ContextFile

PIECE = 16
"""Tokens encoded at once: whoever asks meanwhile waits no longer than for a denoising step."""

CALLERS = 8
"""Whose places are remembered: those who asked last."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody types.

    Attributes:
        prefix, suffix: text around the hole, as `build_prompt` takes it.
        context: pieces of other files.
    """

    prefix: str
    suffix: str
    context: tuple[ContextFile, ...] = ()


@dataclass(slots=True)
class _Reading:
    """A context on its way; ``done`` of its ``tokens`` are encoded."""

    caller: str
    tokens: list[int]
    done: int = 0


class NextWindows:
    """The contexts that the callers' next windows will need.

    Args:
        room: slots kept free behind a new context.
    """

    def __init__(self, model: DenoisingModel, tokenizer: Tokenizer, room: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._room = room
        self._places: LRUCache[str, Place] = LRUCache(CALLERS)
        self._reading: _Reading | None = None

    def note(self, place: Place, caller: str = "") -> None:
        """Somebody types there now, and nowhere else."""
        self.forget(caller)
        self._places[caller] = place

    def forget(self, caller: str) -> None:
        """Let go of a caller's place."""
        self._places.pop(caller, None)
        if self._reading is not None and self._reading.caller == caller:
            self._reading = None

    def clear(self) -> None:
        self._places.clear()
        self._reading = None

    def read_piece(self, contexts: PrefixCache) -> bool:
        """Encode a piece of what is near, for requests to find it among ``contexts``.

        Returns:
            Whether there may be more to do.
        """
        if self._reading is None and self._places:
            caller = [*self._places][-1]  # who asked last may need theirs soonest
            place = self._places.pop(caller)
            tokens = prompt_once_moved(self._tokenizer, place.prefix, place.suffix, place.context)
            self._reading = _Reading(caller, tokens) if tokens else None
        elif self._reading is not None and not self._encode_piece(self._reading, contexts):
            self._reading = None
        return self._reading is not None or bool(self._places)

    def _encode_piece(self, reading: _Reading, contexts: PrefixCache) -> bool:
        """Whether there is more of it."""
        tokens = reading.tokens
        cache, _ = contexts.take(
            tokens, lambda: self._model.new_cache(len(tokens) + self._room), reading.caller
        )
        start = len(cache)
        # The last token is left for the request, as it would be anyway.
        end = min(start + PIECE, len(tokens) - 1)
        if start < end:
            self._model.encode(tokens[start:end], cache)
        contexts.put(cache, reading.caller)
        # Where what was encoded is gone again, the store has no room for it.
        further = end > reading.done
        reading.done = end
        return further and end < len(tokens) - 1
