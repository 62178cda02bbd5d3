"""What an editor is offered, and what is known of how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ACCEPTED = "midfill.accepted"
"""The command that editors run when a suggestion is accepted, with its id."""


class Trigger(StrEnum):
    """Who wanted a suggestion."""

    AUTOMATIC = "automatic"
    BY_HAND = "by-hand"


class Source(StrEnum):
    """Where a suggestion came from."""

    ENGINE = "engine"
    MEMORY = "memory"
    """It was known already: typed through, come back to, or worked out ahead."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a suggestion took by stage, in milliseconds; 0 for stages that it did not need.

    Attributes:
        wait: for the user to pause.
        engine: from the request to the engine until its answer was there.
        encode: of that, reading the context.
        denoise: of that, filling the hole.
        total: from the editor's request to the answer.
    """

    wait: float = 0.0
    engine: float = 0.0
    encode: float = 0.0
    denoise: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is kept of a suggestion besides what became of it. Nothing of it is source text.

    Attributes:
        at: when it was offered, in seconds since the epoch.
        language: the editor's name for it.
        confidence: 0 … 1.
        lines: of the text that it adds.
        characters: of the same.
    """

    at: float
    language: str
    trigger: Trigger
    source: Source
    confidence: float
    lines: int
    characters: int
    latency: Latency = Latency()


@dataclass(frozen=True, slots=True)
class Offer:
    """A suggestion as the editor would insert it, or several to choose from at the same place.

    Attributes:
        id: names it in what a client tells about it.
        version: of the document, for which it was made.
        start: where it begins, in characters.
        replaced: the text behind that which it stands in for; often none.
        texts: what takes its place, the first choice first; at least one.
        selected: what texts begin with because the editor's completion list has it selected.
        after: some of the text behind what is replaced.
    """

    id: str
    uri: str
    version: int | None
    start: int
    replaced: str
    texts: tuple[str, ...]
    circumstances: Circumstances
    selected: str = ""
    after: str = ""

    @property
    def end(self) -> int:
        return self.start + len(self.replaced)
