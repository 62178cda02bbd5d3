"""The context that will be needed soon, encoded while the engine has nothing else to do.

The prefix window stays where it is while somebody types, until its text has grown too long; then
its start moves on, and all that is left of it has to be encoded anew, which takes as long as
opening a file. Where somebody types towards that, it is done ahead, piece by piece. What is encoded
is what a request would encode, so no text depends on whether there was time for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.context_cache import tokens_in_common
from midfill.inference.prompt import prompt_once_moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.context_cache import ContextCache
    from midfill.inference.models.interface import DenoisingModel
    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.wire import ContextFile

PIECE = 16
"""Tokens encoded at once: whoever asks meanwhile waits no longer than for a denoising step."""


@dataclass(frozen=True, slots=True)
class Typist:
    """Somebody who types.

    Attributes:
        caller: who.
        prefix, suffix, context: what `build_prompt` was given.
        tokens: what it made of that.
    """

    caller: str
    prefix: str
    suffix: str
    context: Sequence[ContextFile]
    tokens: Sequence[int]


@dataclass(slots=True)
class _Ahead:
    """A context on its way.

    Attributes:
        caller: whose.
        head: tokens that it has in common with the present one.
        tokens: what it is to hold; the last is left for the request, as it would be anyway.
        cache: what it holds by now.
    """

    caller: str
    head: int
    tokens: list[int]
    cache: ContextCache

    @property
    def missing(self) -> list[int]:
        return self.tokens[len(self.cache) : -1]


class NextWindows:
    """One context at a time, of whoever typed last. It is no other's place in any store.

    Args:
        model: encodes it.
        tokenizer: the model's.
        room: slots kept free behind it.
    """

    def __init__(self, model: DenoisingModel, tokenizer: Tokenizer, room: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._room = room
        self._typist: Typist | None = None
        self._ahead: _Ahead | None = None

    def note(self, typist: Typist) -> None:
        """Somebody types there now."""
        self._typist = typist

    def take(self, tokens: Sequence[int], caller: str) -> ContextCache | None:
        """What is encoded of a caller's next window, if the request is the first to need it.

        Args:
            tokens: the whole context of the request.
            caller: whose it is.
        """
        ahead = self._ahead
        if ahead is None or ahead.caller != caller:
            return None
        if tokens_in_common(ahead.cache.tokens, tokens) <= ahead.head:
            return None
        self._ahead = None
        return ahead.cache

    def forget(self, caller: str) -> None:
        """Let go of what is kept of a caller's text."""
        if self._typist is not None and self._typist.caller == caller:
            self._typist = None
        if self._ahead is not None and self._ahead.caller == caller:
            self._ahead = None

    def clear(self) -> None:
        """Let go of everybody's text."""
        self._typist = self._ahead = None

    def encode_piece(self) -> bool:
        """Encode a piece of what is needed soon.

        Returns:
            Whether there may be more to do.

        Raises:
            OutOfMemory: there is no room for it; nothing is kept of it.
        """
        try:
            if self._typist is not None:
                self._ahead, self._typist = self._next_window(self._typist), None
            elif self._ahead is not None:
                piece = self._ahead.missing[:PIECE]
                self._model.encode(piece, self._ahead.cache)
        except BaseException:
            self.clear()
            raise
        return self._ahead is not None and bool(self._ahead.missing)

    def _next_window(self, typist: Typist) -> _Ahead | None:
        """What is to be encoded for somebody; as much of it as there is already is kept."""
        tokens = prompt_once_moved(self._tokenizer, typist.prefix, typist.suffix, typist.context)
        if tokens is None:
            return None
        head = tokens_in_common(typist.tokens, tokens)
        before = self._ahead
        if before is not None and before.caller == typist.caller:
            held = tokens_in_common(before.cache.tokens, tokens)
            if held > head:
                before.cache.crop(held)
                return _Ahead(typist.caller, head, tokens, before.cache)
        room = len(tokens) + self._room
        return _Ahead(typist.caller, head, tokens, self._model.new_cache(room))
