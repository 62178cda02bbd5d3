"""How long the stages of one request take."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from midfill.inference.wire import Milliseconds


@dataclass(slots=True)
class Stopwatch:
    """Runs from the moment a request is taken up.

    Attributes:
        started: on the `time.monotonic` clock.
        load: seconds that the request waited for the model.
        encoded: when the first denoising step was done, which encodes what was new.
    """

    started: float
    load: float = 0.0
    encoded: float | None = None

    def note_step(self) -> None:
        """A denoising step is done; the first one ends the encoding."""
        if self.encoded is None:
            self.encoded = monotonic()

    def figures(self) -> Milliseconds:
        now = monotonic()
        encoded = self.encoded or now
        return Milliseconds(
            load=1e3 * self.load,
            encode=1e3 * (encoded - self.started - self.load),
            denoise=1e3 * (now - encoded),
            total=1e3 * (now - self.started),
        )
