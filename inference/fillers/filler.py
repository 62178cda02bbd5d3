"""What the engine needs of a model in memory, in whichever way it fills holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.models.options import Options
    from midfill.inference.stopwatch import Stopwatch
    from midfill.inference.wire import Draft, Final, InfillRequest
    from midfill.inference.wire_prompt import ShownPrompt


@dataclass(frozen=True, slots=True)
class Run:
    """One request on its way.

    Attributes:
        deadline: on the `time.monotonic` clock; then the best finished part is sent.
        watch: told when steps are done.
        cancelled: asked between denoising steps.
        caller: whose request it is; of one engine's callers none meets what is kept of another.
    """

    deadline: float
    watch: Stopwatch
    cancelled: Callable[[], bool]
    caller: str = ""


class Filler(Protocol):
    """A model and its caches.

    Attributes:
        fills_at_once: fills that share the model's steps; one where it shares none.
    """

    fills_at_once: int

    def fill(self, request: InfillRequest, run: Run) -> Iterator[Draft | Final]:
        """A draft after each denoising step, then the final fill.

        Raises:
            Cancelled: ``run.cancelled`` said so.
            InvalidText: the text has no UTF-8 form.
            OutOfMemory: the request does not fit.
        """
        ...

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        """What the model would be given for a request; nothing is filled.

        Raises:
            InvalidText: the text has no UTF-8 form.
        """
        ...

    def with_options(self, options: Options) -> Filler:
        """The same model in memory, filling in another way.

        Raises:
            UsageError: the model has no use for these options.
        """
        ...

    def forget(self) -> None:
        """Let go of everything that is kept for the next request."""
        ...

    def shrink(self) -> bool:
        """Work with a smaller canvas from now on; False if it is the smallest already."""
        ...

    def close(self) -> None:
        """Let go of what is not memory, such as connections."""
        ...


@runtime_checkable
class KeepsCallersApart(Protocol):
    """What a filler can do besides that keeps the text of several callers at once."""

    def forget_caller(self, caller: str) -> None:
        """Let go of what is kept of one caller's text."""
        ...


@runtime_checkable
class EncodesAhead(Protocol):
    """What a filler can do besides that has use for a time when nothing is asked."""

    def encode_ahead(self) -> bool:
        """Encode a piece of what the next requests may need, as long as a denoising step at most.

        Returns:
            Whether there may be more to do.
        """
        ...
