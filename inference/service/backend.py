"""What the service needs of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.progress import ProgressListener
    from midfill.inference.wire import Draft, Final, InfillRequest
    from midfill.inference.wire_prompt import ShownPrompt


class Engine(Protocol):
    """A model that fills holes. Used by one thread alone."""

    model: str

    @property
    def loaded(self) -> bool: ...

    @property
    def fills_at_once(self) -> int:
        """Fills that gain by sharing the model's steps; their iterators may be interleaved."""
        ...

    def load(self, listener: ProgressListener) -> None:
        """Make the model ready; takes seconds, or minutes when it must be fetched first."""

    def forget(self, caller: str) -> None:
        """Let go of what is kept of a caller's text for their next request."""

    def unload(self) -> None:
        """Give the model's memory back."""

    def infill(
        self, request: InfillRequest, cancelled: Callable[[], bool], caller: str
    ) -> Iterator[Draft | Final]:
        """A draft after every denoising step, then the finished fill.

        ``cancelled`` is asked between steps; when it says yes, or when the iterator is closed, the
        rest is not computed. What is kept for the next request is kept for that caller's.
        """

    def encode_ahead(self) -> bool:
        """Use the time while nothing is asked for a piece of what the next requests may need.

        Takes no longer than a denoising step; False if nothing is left to do.
        """

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        """What the model would be given for a request; nothing is filled."""
