"""Deciding what to fill at a cursor, if anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from midfill.inference.syntax.place import Place
from midfill.inference.text.indentation import indentation
from midfill.inference.text.window import PREFIX_CHARACTERS, SUFFIX_CHARACTERS
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_VISIBLE_RIGHT = 8
"""So many visible characters may stand right of the cursor, closers not counted."""

FAR = 4096
"""Characters above and below the cursor that are looked at for where blocks begin and end."""

BLOCK_OPENERS = (":", "{")

_REST_OF_LINE = re.compile(r"[^\r\n]*")
_CLOSERS = re.compile(r"""[\s)\]}>"'`,;:]+""")


class Reason(StrEnum):
    """Why there is nothing to fill."""

    INSIDE_WORD = "inside-word"
    REST_OF_LINE = "rest-of-line"
    LONE_SURROGATE = "lone-surrogate"
    EMPTY_DOCUMENT = "empty-document"
    IN_COMMENT = "in-comment"
    IN_STRING = "in-string"
    AFTER_DELETION = "after-deletion"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Reason.INSIDE_WORD: "The cursor stands inside a word.",
    Reason.REST_OF_LINE: "The line goes on to the right of the cursor.",
    Reason.EMPTY_DOCUMENT: "There is no text yet to go by.",
    Reason.LONE_SURROGATE: "The text here holds a lone surrogate, which has no UTF-8 form.",
    Reason.IN_COMMENT: "The cursor stands in a comment, and midfill.comments is off.",
    Reason.IN_STRING: "The cursor stands in a string, and midfill.strings is off.",
    Reason.AFTER_DELETION: "Something has just been deleted here.",
}


class Multiline(StrEnum):
    """When a suggestion may be a whole block."""

    AUTO = "auto"
    """Where a block has no body yet; on other blank lines a statement."""
    NEVER = "never"
    """One line, always."""
    ALWAYS = "always"
    """On every blank line."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants suggested unasked."""

    comments: bool = True
    strings: bool = True
    multiline: Multiline = Multiline.AUTO


@dataclass(frozen=True, slots=True)
class Hole:
    """What a fill replaces: the characters from ``start`` to before ``end``."""

    start: int
    end: int
    extent: Extent = Extent.LINE


@dataclass(frozen=True, slots=True)
class NoHole:
    """There is nothing to fill here."""

    reason: Reason


ANYTHING = Wishes()


def hole_at_cursor(
    text: str,
    offset: int,
    *,
    explicit: bool = False,
    place: Callable[[], Place] = lambda: Place.CODE,
    wishes: Wishes = ANYTHING,
    after_deletion: bool = False,
) -> Hole | NoHole:
    """Decide what to fill at a cursor: nothing, the rest of its line, a statement or a block.

    What is right of the cursor stays, so the hole is empty.

    Args:
        text: the whole document.
        offset: the cursor, in characters from the start of ``text``.
        explicit: somebody asked for a fill just here; then it does not matter what stands right
            of the cursor, nor where it is.
        place: tells what kind of text the cursor stands in; asked only where it matters, as a
            syntax tree may have to be read for it.
        after_deletion: the last edit deleted something and wrote nothing.

    Raises:
        ValueError: the cursor is outside the document.
    """
    if not 0 <= offset <= len(text):
        raise ValueError(f"a cursor at {offset} is outside a text of {len(text)} characters")
    if _has_lone_surrogate(text[max(offset - PREFIX_CHARACTERS, 0) : offset + SUFFIX_CHARACTERS]):
        return NoHole(Reason.LONE_SURROGATE)
    if not explicit:
        reason = _unwanted(place, wishes, after_deletion) or _objection(text, offset)
        if reason:
            return NoHole(reason)
    extent = extent_at(text, offset, wishes.multiline)
    if extent is not Extent.LINE and place() is not Place.CODE:
        extent = Extent.LINE
    return Hole(offset, offset, extent)


def extent_at(text: str, offset: int, multiline: Multiline) -> Extent:
    """How far a middle that begins at ``offset`` may go.

    Where the line is blank it is a statement, or a block if the line above opens one that has no
    body; elsewhere the rest of the line.
    """
    line_start = _line_start(text, offset)
    on_blank_line = not text[line_start:offset].strip() and not _rest_of_line(text, offset).strip()
    if multiline is Multiline.NEVER or not on_blank_line:
        return Extent.LINE
    if multiline is Multiline.ALWAYS or _opens_empty_block(text, line_start, offset):
        return Extent.BLOCK
    return Extent.STATEMENT


def _opens_empty_block(text: str, line_start: int, offset: int) -> bool:
    above = text[max(line_start - FAR, 0) : line_start].rstrip()
    opener = above[_line_start(above, len(above)) :]
    if not opener.endswith(BLOCK_OPENERS):
        return False
    below = (line for line in text[offset : offset + FAR].splitlines() if line.strip())
    next_line = next(below, "")
    return not next_line or indentation(next_line) <= indentation(opener)


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _rest_of_line(text: str, offset: int) -> str:
    right = _REST_OF_LINE.match(text, offset)
    return right.group() if right else ""


def _unwanted(place: Callable[[], Place], wishes: Wishes, after_deletion: bool) -> Reason | None:
    if after_deletion:
        return Reason.AFTER_DELETION
    if not wishes.comments and place() is Place.COMMENT:
        return Reason.IN_COMMENT
    if not wishes.strings and place() is Place.STRING:
        return Reason.IN_STRING
    return None


def _objection(text: str, offset: int) -> Reason | None:
    """What speaks against suggesting unasked here."""
    if not text or text.isspace():
        return Reason.EMPTY_DOCUMENT
    rest = _rest_of_line(text, offset)
    if rest[:1].isalnum() or rest[:1] == "_":
        return Reason.INSIDE_WORD
    if len(_CLOSERS.sub("", rest)) > MAX_VISIBLE_RIGHT:
        return Reason.REST_OF_LINE
    return None


def _has_lone_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
