"""From the definitions of a file to the piece that is shown: those that are needed, and a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.lsp.context.import_statements import EVERYTHING
from midfill.lsp.context.snippet import Snippet, Stability
from midfill.lsp.context.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence, Set

    from midfill.lsp.context.definitions import Definition
    from midfill.lsp.context.readable_files import Stamp
    from midfill.lsp.context.snippet import Origin
    from midfill.lsp.context.words import Words

NEEDED, NEAR, IMPORTED, REST = 3.0, 2.0, 1.0, 0.5
"""How much a name is wanted: it stands next to the cursor, around it, in the import, or only
in the file."""

SCORES = {NEEDED: 0.7, NEAR: 0.5, IMPORTED: 0.3, REST: 0.15}
"""What a piece is worth by its most wanted name."""

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Part:
    """A definition that may be shown, or a member of one.

    Attributes:
        text: as it is shown, indented if it is a member.
        unnamed: how much it is wanted where nobody names it.
        private: whether it is wanted only by those who name it.
        frame: the number of the part that it is a member of.
        closing: what has to stand behind its members.
        cost: characters, line breaks included.
    """

    name: str
    text: str
    unnamed: float
    private: bool
    frame: int | None
    closing: str
    cost: int
    made_of: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outline:
    """What of a file's definitions a document can use.

    Attributes:
        names: of its parts.
        stamp: the state of the file, if it was read from the disk.
    """

    origin: Origin
    parts: tuple[Part, ...]
    names: frozenset[str]
    stamp: Stamp | None = None

    def most_wanted(self, focus: Words, near: Words) -> float:
        """How much its most wanted part is wanted."""
        if not self.names.isdisjoint(focus):
            return NEEDED
        if not self.names.isdisjoint(near):
            return NEAR
        return max((part.unnamed for part in self.parts if not part.private), default=0.0)


def outline_of(
    origin: Origin,
    definitions: Iterable[Definition],
    names: Set[str],
    stamp: Stamp | None = None,
) -> Outline:
    """The outline of a file.

    Args:
        names: those imported; ``*`` for all.
    """
    parts: list[Part] = []
    for definition in definitions:
        if definition.name not in names and EVERYTHING not in names:
            continue
        unnamed = IMPORTED if definition.name in names else REST
        frame = len(parts)
        parts.append(_part(definition, unnamed))
        parts += [_part(member, unnamed / 2, frame) for member in definition.members]
    return Outline(origin, tuple(parts), frozenset(part.name for part in parts), stamp)


def _part(definition: Definition, unnamed: float, frame: int | None = None) -> Part:
    text, closing = definition.text, definition.closing
    if frame is not None:
        text = INDENT + text.replace("\n", f"\n{INDENT}")
    return Part(
        name=definition.name,
        text=text,
        unnamed=unnamed,
        private=definition.name.startswith("_") and not definition.name.startswith("__init__"),
        frame=frame,
        closing=closing,
        cost=len(text) + 1 + (len(closing) + 1 if closing else 0),
        made_of=definition.made_of,
    )


def outline_snippet(outline: Outline, focus: Words, near: Words, room: int) -> Snippet | None:
    """The definitions of a file that are wanted most, in the file's order.

    Args:
        focus: words next to the cursor.
        near: words around it.
        room: characters.

    Returns:
        None if nothing in the file is wanted, or not even the first would fit.
    """
    parts = outline.parts
    wanted = [_wanted(part, focus, near) for part in parts]
    order = sorted(
        (number for number, much in enumerate(wanted) if much), key=lambda number: -wanted[number]
    )
    shown: set[int] = set()
    for number in order:
        frame = parts[number].frame
        added = {number, number if frame is None else frame} - shown
        cost = sum(parts[one].cost for one in added)
        if cost <= room:
            room -= cost
            shown |= added
    if not shown:
        return None
    text = _text(parts, shown)
    best = max(wanted[number] for number in shown)
    return Snippet(
        origin=outline.origin,
        text=text,
        score=SCORES.get(best, SCORES[REST]),
        stability=Stability.DEFINITIONS,
        words=words_of(text),
        made_of=frozenset().union(*(parts[number].made_of for number in shown)),
        stamp=outline.stamp,
    )


def _wanted(part: Part, focus: Words, near: Words) -> float:
    """How much a part is wanted; 0 for not at all."""
    if part.name in focus:
        return NEEDED
    if part.name in near:
        return NEAR
    return 0.0 if part.private else part.unnamed


def _text(parts: Sequence[Part], shown: set[int]) -> str:
    lines: list[str] = []
    closing = ""
    for number in sorted(shown):
        part = parts[number]
        if part.frame is None:
            lines += [closing] if closing else []
            closing = part.closing
        lines.append(part.text)
    lines += [closing] if closing else []
    return "\n".join(lines)
