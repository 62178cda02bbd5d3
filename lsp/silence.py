"""Why nothing is suggested, in words that say what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import Drop
from midfill.inference.text.hole_at_cursor import Reason
from midfill.inference.wire import EngineState, Stop
from midfill.lsp.manners import SUBTLE_MINIMUM, Manners, Mode

if TYPE_CHECKING:
    from midfill.inference.wire import Health, Limits


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
SHOWN = Silence(
    "shown",
    "There was a suggestion the last time.",
    "It goes when the text or the cursor does not fit it any more; ask by hand to have it again.",
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
NOTHING_VISIBLE = Silence("nothing-visible", "The model thinks that nothing is missing here.")
REFUSED = Silence(
    "refused",
    "The model answered in another form than it was asked to, so nothing of it is used.",
    "Another model may do better: midfill.model names it.",
)
SEVERAL_LINES = Silence(
    "popup-over-lines",
    "The entry chosen in the completion list replaces text on several lines.",
    "Close the list and ask again.",
)
OUTDATED = Silence("outdated", "The document changed before the answer was there.")
SUPERSEDED = Silence("superseded", "A newer request of this document took its place.")
BROKEN = Silence("broken", "Midfill itself failed here.", "Its log says how: please report it.")

BY_HAND = "Ask by hand to have a suggestion all the same."


def excluded(reason: str) -> Silence:
    """Args: reason: that `DocumentStore.why_withheld` gives."""
    return Silence(
        "excluded",
        f"This file is excluded: {reason}.",
        "midfill.include lists what is read although .gitignore or a built-in rule leaves it out.",
    )


def no_place(reason: Reason) -> Silence:
    advice = "Replace that character." if reason is Reason.LONE_SURROGATE else BY_HAND
    return Silence(reason.value, reason.sentence, advice)


def dropped(drop: Drop) -> Silence:
    return Silence(drop.value, drop.sentence, BY_HAND if drop is Drop.TRIFLE else "")


def nothing_left(stop: Stop, limits: Limits) -> Silence:
    """Why nothing can be seen of a fill.

    Args:
        stop: why the fill ended.
        limits: that it had.
    """
    match stop:
        case Stop.DEADLINE:
            return timed_out(limits)
        case Stop.TOKEN_LIMIT:
            return Silence(
                "token-limit",
                f"The suggestion was not finished within {limits.tokens} tokens.",
                "Raise midfill.maximumTokens to see longer ones.",
            )
        case Stop.REFUSED:
            return REFUSED
    return NOTHING_VISIBLE


def timed_out(limits: Limits) -> Silence:
    """Args: limits: that the fill had."""
    return Silence(
        "deadline",
        f"The time ran out: the model had {limits.deadline_ms / 1e3:g} s, "
        "and finished nothing that is worth showing.",
        "Ask again, as the machine may have been busy. If it stays so, `midfill doctor` may know "
        "why, and a smaller model (midfill.model) is faster.",
    )


def not_ready(health: Health | None) -> Silence:
    """Args: health: what the engine says of itself; None where it has said nothing yet."""
    state = health.state if health else EngineState.LOADING
    detail = _phrase(health.detail) if health else ""
    match state:
        case EngineState.FAILED:
            return failed(detail) if detail else failed("it has failed")
        case EngineState.IDLE:
            words = "The model was not in memory, and is being loaded."
        case EngineState.DRAINING:
            words = "The engine is making way for a new one."
        case _:
            words = f"The model is not ready yet{f': {detail}' if detail else ''}."
    return Silence("not-ready", words, "Try again in a moment.")


def failed(message: str) -> Silence:
    """Args: message: what went wrong; it may say what to do."""
    advice = "" if "midfill doctor" in message else "See `midfill doctor`."
    return Silence("failed", f"The engine could not answer: {_phrase(message)}.", advice)


def unlikely(confidence: float, manners: Manners) -> Silence:
    """Args: confidence: of the fill that is kept back, 0 … 1."""
    minimum = manners.minimum_confidence
    of_the_mode = manners.mode is Mode.SUBTLE and minimum <= SUBTLE_MINIMUM
    change = 'Set midfill.mode to "eager"' if of_the_mode else "Lower midfill.minimumConfidence"
    return Silence(
        "unlikely",
        f"The suggestion is not likely enough to be right: a chance of {confidence:.0%}, "
        f"and {minimum:.0%} is wanted.",
        f"{change} to see more, or ask by hand.",
    )


def snoozed(minutes_left: float) -> Silence:
    left = f"{ceil(minutes_left)} more minutes" if minutes_left > 1 else "a minute at most"
    return Silence("snoozed", f"Midfill is paused for {left}.", "Run midfill.resume to go on.")


def _phrase(message: str) -> str:
    """Without the full stop that a sentence around it brings."""
    return message.strip().removesuffix(".")
