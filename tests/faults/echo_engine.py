"""An engine that writes what it was sent, so that a text in the wrong reply is seen."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from midfill.inference.errors import Cancelled
from midfill.inference.wire import Draft, Final, Stop
from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.progress import ProgressListener
    from midfill.inference.wire import InfillRequest

STEP_SECONDS = float(os.environ.get("ECHO_STEP_SECONDS", "0.002"))
WORDS = os.environ.get("ECHO_WORDS")
"""What it writes instead, if anything."""


class EchoEngine:
    """Takes the place of the real one: as many steps as the request may have tokens.

    Every draft and the final fill are the text in front of the hole.
    """

    def __init__(
        self,
        model: str,
        device: str | None = None,
        *,
        context_bytes: int = 0,
        fills_at_once: int | None = None,
    ) -> None:
        self.model = model
        self.fills_at_once = fills_at_once or 8  # as many as any test asks for at once
        self.loaded = False

    def load(self, listener: ProgressListener) -> None:
        self.loaded = True

    def forget(self, caller: str) -> None:
        """There is nothing to let go of."""

    def encode_ahead(self) -> bool:
        return False

    def unload(self) -> None:
        self.loaded = False

    def infill(
        self, request: InfillRequest, cancelled: Callable[[], bool], caller: str
    ) -> Iterator[Draft | Final]:
        text = WORDS or request.prefix
        for step in range(1, request.limits.tokens + 1):
            if cancelled():
                raise Cancelled("the request was cancelled")
            time.sleep(STEP_SECONDS)
            yield Draft(text=text, step=step)
        yield Final(
            text=text,
            alternatives=tuple(f"{text}{number}" for number in range(1, request.n)),
            confidence=1.0,
            stop=Stop.LINE_END,
            model=self.model,
            tokens=request.limits.tokens,
            steps=request.limits.tokens,
        )

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        piece = PromptPiece(part=PromptPart.PREFIX, text=request.prefix, tokens=1)
        return ShownPrompt(model=self.model, pieces=(piece,))
