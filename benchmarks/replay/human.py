"""How long people take: between two keys, and to read a suggestion.

Intervals between keys are drawn from log-normal distributions, a good fit for typed text ("On the
shape of timings distributions in free-text keystroke dynamics profiles", Heliyon 7, 2021, doi
10.1016/j.heliyon.2021.e08413). Their medians differ by what is typed: keys within a word come fast,
longer pauses stand before words, lines and new places. Together they give some 52 words a minute in
plain prose, the mean of 168,000 people (V. Dhakal and others, "Observations on Typing from 136
Million Keystrokes", CHI 2018, doi 10.1145/3173574.3174220). The pauses before symbols, lines and
new places are assumptions: code is written with more thought than sentences are copied.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from .keys import Key

LONGEST = 4.0
"""Seconds; whoever pauses longer is thinking, and nothing is measured meanwhile."""

READING_WORDS_A_SECOND = 238 / 60
"""Silent reading of English non-fiction (M. Brysbaert, "How many words do we read per minute?",
Journal of Memory and Language 109, 2019, doi 10.1016/j.jml.2019.104047)."""

NOTICING = 0.2
"""Seconds until somebody who types has seen that there is a suggestion and holds back a key."""

MOST_WORDS = 12
"""Nobody reads more of a suggestion before deciding."""

_WORD = re.compile(r"\w+|[^\w\s]+")


@dataclass(frozen=True, slots=True)
class Pause:
    """A log-normal distribution of seconds."""

    median: float
    spread: float

    def draw(self, random: Random) -> float:
        return min(random.lognormvariate(math.log(self.median), self.spread), LONGEST)


class Moment(Enum):
    """What a key is in the flow of typing, with the pause before it."""

    WITHIN_WORD = Pause(0.17, 0.35)
    WORD_START = Pause(0.40, 0.5)
    SYMBOL = Pause(0.28, 0.5)
    LINE_BREAK = Pause(0.35, 0.5)
    LINE_START = Pause(0.60, 0.6)
    DELETION = Pause(0.30, 0.5)
    NEXT_DELETION = Pause(0.13, 0.3)
    NEW_PLACE = Pause(1.50, 0.6)


def moment_of(key: Key, before: Key | None) -> Moment:
    """What a key is after the one before; none before it means that the cursor was just moved."""
    if before is None:
        return Moment.NEW_PLACE
    if not key.text:
        return Moment.NEXT_DELETION if not before.text else Moment.DELETION
    if key.text[0] in "\r\n":
        return Moment.LINE_BREAK
    if before.text[:1] in ("\r", "\n"):
        return Moment.LINE_START
    if key.text.isspace():
        return Moment.WITHIN_WORD
    if not _in_word(key.text):
        return Moment.SYMBOL
    return Moment.WITHIN_WORD if _in_word(before.text) else Moment.WORD_START


def reading_seconds(suggestion: str, wanted: str) -> float:
    """How long it takes to see whether a suggestion is what one wants to write.

    That is known at its first wrong word.
    """
    words = 0
    for word in _WORD.finditer(suggestion):
        words += 1
        if words == MOST_WORDS or suggestion[: word.end()] != wanted[: word.end()]:
            break
    return max(words, 1) / READING_WORDS_A_SECOND


def _in_word(text: str) -> bool:
    return bool(text) and (text[-1].isalnum() or text[-1] == "_")
