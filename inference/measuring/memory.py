"""How much memory something takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import torch

if TYPE_CHECKING:
    from types import TracebackType


class MemoryWatch:
    """Bytes of this process on a device.

    On CUDA what torch has allocated and its peak; elsewhere the resident memory of the process,
    looked at whenever somebody asks.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device if device.type == "cuda" else None
        self._process = psutil.Process()

    @property
    def kind(self) -> str:
        return "allocated on the device" if self._cuda else "resident memory of the process"

    def held(self) -> int:
        """At this moment."""
        if self._cuda is not None:
            return torch.cuda.memory_allocated(self._cuda)
        return int(self._process.memory_info().rss)

    def watch(self) -> PeakWatch:
        """Look out for the peak for as long as the context lasts."""
        return PeakWatch(self)


class PeakWatch:
    """
    Attributes:
        grown: bytes by which the peak exceeded what was held before; known at the end.
    """

    def __init__(self, memory: MemoryWatch) -> None:
        self._memory = memory
        self._before = 0
        self.grown = 0

    def __enter__(self) -> PeakWatch:
        if self._memory._cuda is not None:
            torch.cuda.reset_peak_memory_stats(self._memory._cuda)
        self._before = self._memory.held()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        peak = self._memory.held()
        if self._memory._cuda is not None:
            peak = torch.cuda.max_memory_allocated(self._memory._cuda)
        self.grown = max(0, peak - self._before)
