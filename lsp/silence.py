"""Why nothing is suggested, in words that say what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Drop


@dataclass(frozen=True, slots=True)
class Silence:
    """A reason for not suggesting anything.

    Attributes:
        code: a short name, the same for every case of its kind.
        sentence: for the user.
        advice: what to change, if anything can be.
    """

    code: str
    sentence: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.advice}".strip()


NEVER_ASKED = Silence(
    "never-asked",
    "Nothing has been asked for in this document yet.",
    "Type something, or ask your editor for an inline suggestion by hand.",
)
NOT_OPEN = Silence(
    "not-open",
    "The editor has not opened this document with Midfill.",
    "Check that Midfill is started for this kind of file.",
)
DISABLED = Silence(
    "disabled",
    "Midfill is switched off here.",
    "Set midfill.enabled to true, or see .midfill.toml.",
)
STARTING = Silence("starting", "Midfill is still starting.", "Try again in a moment.")
MANUAL = Silence(
    "manual",
    "Midfill suggests only when it is asked by hand.",
    'Set midfill.mode to "eager" or "subtle", or ask your editor for a suggestion.',
)
NOTHING_VISIBLE = Silence("nothing-visible", "The model thinks that nothing is missing here.", "")
SEVERAL_LINES = Silence(
    "popup-over-lines",
    "The entry chosen in the completion list replaces text on several lines.",
    "Close the list and ask again.",
)
OUTDATED = Silence("outdated", "The document changed before the answer was there.")
SUPERSEDED = Silence("superseded", "A newer request of this document took its place.")


def excluded(reason: str) -> Silence:
    """Args: reason: that `DocumentStore.why_withheld` gives."""
    return Silence(
        "excluded",
        f"This file is excluded: {reason}.",
        "midfill.include lists files to read all the same.",
    )


def no_place(reason: str, sentence: str) -> Silence:
    """Args: those of a `Reason` against a hole."""
    return Silence(reason, sentence, "Ask by hand to have a suggestion all the same.")


def dropped(drop: Drop) -> Silence:
    return Silence(drop.value, drop.sentence)


def not_ready(detail: str) -> Silence:
    """Args: detail: what the engine says of itself."""
    more = f": {detail}" if detail else ""
    return Silence("not-ready", f"The model is not ready{more}.", "It is being loaded; try again.")


def failed(message: str) -> Silence:
    return Silence("failed", f"The engine could not answer: {message}.", "See `midfill doctor`.")


def unlikely(confidence: float, minimum: float) -> Silence:
    return Silence(
        "unlikely",
        f"The suggestion is probably wrong: a chance of {confidence:.0%}, "
        f"and {minimum:.0%} is wanted.",
        "Lower midfill.minimumConfidence to see more.",
    )


def snoozed(minutes_left: float) -> Silence:
    left = "less than a minute" if minutes_left < 1 else f"{minutes_left:.0f} more minutes"
    return Silence("snoozed", f"Midfill is paused for {left}.", "Run midfill.resume to go on.")
