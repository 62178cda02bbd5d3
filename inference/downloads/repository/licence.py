"""The licence of a model, as its card gives it, and whether anybody has to be asked about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.text.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

PERMISSIVE = frozenset(
    {
        "0bsd",
        "apache-2.0",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsl-1.0",
        "cc0-1.0",
        "isc",
        "mit",
        "unlicense",
        "zlib",
    }
)
"""What the hub calls the licences that ask for no more than to be named."""

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Licence:
    """What a model may be used under.

    Attributes:
        id: as the hub has it, in lower case; several are joined by commas.
        name: what people call it.
        link: where it can be read.
        given_link: the link as the card has it; empty if it has none.
    """

    id: str
    name: str
    link: str
    given_link: str = ""

    @property
    def permissive(self) -> bool:
        return all(part in PERMISSIVE for part in self.id.split(","))

    def is_same(self, other: Licence) -> bool:
        """Whether the card says the same, whichever hub or mirror it was read from."""
        ours = (self.id, self.name, self.given_link)
        return ours == (other.id, other.name, other.given_link)


def licence_of(
    given: object, name: object, link: object, tags: Iterable[str], page: str
) -> Licence:
    """A licence from the fields of a model's card.

    Args:
        given: the card's ``license``: an identifier, or a list of them.
        name: its ``license_name``, for one that has no identifier.
        link: its ``license_link``: an address, or a file of the repository.
        tags: the hub's own, for a card that cannot be read.
        page: the repository's page, for one without a link.
    """
    parts = [str(part) for part in given] if isinstance(given, list) else [str(given or "")]
    if not any(part.strip() for part in parts):
        parts = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    known = [line.lower() for part in parts if (line := one_line(part))]
    identifier = ",".join(known) or UNKNOWN
    called = one_line(str(name or "")) or one_line(identifier.replace(",", ", "))
    given_link = one_line(str(link or ""))
    place = given_link
    if place and "://" not in place:
        place = f"{page}/blob/main/{place.lstrip('/')}"
    return Licence(identifier, called, place or page, given_link)
