"""What became of a suggestion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midfill.lsp.acceptance.offer import Circumstances


class Ending(StrEnum):
    """How a suggestion ended."""

    ACCEPTED = "accepted"
    """Its text, or all that was left of it, was inserted at once."""
    PARTLY = "accepted-in-part"
    """Words or lines of it were inserted, and then something else."""
    TYPED = "typed-through"
    """It was typed to its end: right, and of no use."""
    REJECTED = "rejected"
    """Something else was typed, something deleted, or the user went on elsewhere."""
    IGNORED = "ignored"
    """Another took its place, or the document was closed, and nobody had touched it."""
    UNSEEN = "unseen"
    """Rejected or ignored sooner than anybody could have read it, or never shown."""


TAKEN = (Ending.ACCEPTED, Ending.PARTLY)
"""Endings with some of the suggestion in the document, and not because it was typed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One suggestion's record: no source text and no file's name is in it.

    Attributes:
        key: tells records apart; made of the suggestion's id, which cannot be had back from it.
        seconds: from the offer to the end, without the time after an acceptance.
        typed: characters of it that were typed.
        taken: characters of it that were inserted otherwise, which nobody had to type.
        kept: of what was accepted, the share that was still there 30 s later, 0 … 1; None if
            nothing was, or the document was closed by then.
        exact: whether all of it was there and nothing in between; None as before.
        confirmed: the client said itself that it was accepted.
    """

    key: str
    circumstances: Circumstances
    ending: Ending
    seconds: float
    typed: int = 0
    taken: int = 0
    kept: float | None = None
    exact: bool | None = None
    confirmed: bool = False

    @property
    def seen(self) -> bool:
        """Whether somebody can have read it."""
        return self.ending is not Ending.UNSEEN


def key_of(suggestion: str) -> str:
    """What stands for a suggestion's id in its record."""
    return blake2b(suggestion.encode(errors="surrogatepass"), digest_size=12).hexdigest()
