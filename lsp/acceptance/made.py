"""A fill on its way to the editor, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midfill.inference.wire import Final
    from midfill.lsp.acceptance.offer import Source


@dataclass(frozen=True, slots=True)
class Made:
    """A fill, and what it cost.

    Attributes:
        wait: seconds for the user to pause.
        engine: seconds until the engine had answered.
    """

    final: Final
    source: Source
    wait: float = 0.0
    engine: float = 0.0
