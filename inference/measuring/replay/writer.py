"""What types along: something that suggests how a line goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from midfill.inference.wire import InfillRequest


@dataclass(frozen=True, slots=True)
class Written:
    """One suggestion.

    Attributes:
        text: what was suggested.
        seconds: from the request to the final text.
        tokens: written, and ``steps`` the forward passes that took; None where it is not told.
        stages: milliseconds of each part, where they are told.
        read: tokens of the prompt that were not known yet; None where it is not told.
        step_tokens: how many tokens each step made certain; empty where it is not told.
    """

    text: str
    seconds: float
    tokens: int | None = None
    steps: int | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    read: int | None = None
    step_tokens: tuple[int, ...] = ()

    @property
    def ms(self) -> float:
        return 1e3 * self.seconds


class Writer(Protocol):
    """One of those that are compared."""

    @property
    def name(self) -> str:
        """For people; no two of a run have the same."""
        ...

    @property
    def about(self) -> str:
        """What there is to know about it, one line."""
        ...

    def new_document(self) -> None:
        """What comes next is of a document that it has not seen."""
        ...

    def write(self, request: InfillRequest) -> Written:
        """Suggest how a line goes on.

        Raises:
            MidfillError: it cannot.
        """
        ...

    def close(self) -> None:
        """Give its memory back."""
        ...


class WriterWithPauses(Writer, Protocol):
    """One that makes use of the time between two requests."""

    def pause(self, seconds: float) -> None:
        """Nothing is asked for so long; returns as soon as there is no use for it."""
        ...
