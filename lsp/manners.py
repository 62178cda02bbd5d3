"""How and when suggestions may show themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from midfill.inference.text.hole_at_cursor import ANYTHING, Multiline, Wishes

if TYPE_CHECKING:
    from midfill.lsp.settings import Settings


class Mode(StrEnum):
    """How forward suggestions are."""

    EAGER = "eager"
    """Whatever is likely enough."""
    SUBTLE = "subtle"
    """A line at a time, and only what is rather right than wrong."""
    MANUAL = "manual"
    """Only what is asked for by hand."""


SUBTLE_MINIMUM = 0.5


@dataclass(frozen=True, slots=True)
class Manners:
    """What holds for one document.

    Attributes:
        enabled: whether anything is suggested at all, even by hand.
        minimum_confidence: of a fill that is shown unasked, 0 … 1.
        tokens: the longest suggestion.
        delay: seconds to wait before asking; None adapts to how the user types.
        read_ahead: whether the suggestion after the shown one is worked out while that is read.
    """

    enabled: bool = True
    mode: Mode = Mode.EAGER
    minimum_confidence: float = 0.0
    wishes: Wishes = ANYTHING
    tokens: int = 64
    delay: float | None = None
    read_ahead: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Manners:
        """What the settings ask for; a subtle mode asks for more than they say themselves."""
        wishes = Wishes(settings.comments, settings.strings, Multiline(settings.multiline))
        manners = cls(
            enabled=settings.enabled,
            mode=Mode(settings.mode),
            minimum_confidence=settings.minimum_confidence,
            wishes=wishes,
            tokens=settings.maximum_tokens,
            delay=None if settings.delay is None else settings.delay / 1e3,
            read_ahead=settings.read_ahead,
        )
        if manners.mode is not Mode.SUBTLE:
            return manners
        return replace(
            manners,
            minimum_confidence=max(manners.minimum_confidence, SUBTLE_MINIMUM),
            wishes=replace(wishes, multiline=Multiline.NEVER),
        )
