"""CUDA graphs: what a function asks of a GPU, asked again without Python.

Source: `torch.cuda.graph`, and what its documentation asks for: warm-up runs before, the capture on
a stream of its own, inputs and outputs that stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class CudaRecording:
    """A captured function.

    Attributes:
        graph: what is replayed, on the current stream.
        output: where each replay writes the result.
    """

    graph: torch.cuda.CUDAGraph
    output: Tensor

    def replay(self) -> None:
        self.graph.replay()


class CudaGraphs:
    """Captures functions on one device.

    All graphs take the memory for what stands between their operations from one pool. That is right
    as long as they run one after the other and none reads what another one left there.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: object = None
        self._stream: torch.cuda.Stream | None = None

    def record(self, function: Callable[[], Tensor]) -> CudaRecording:
        """Capture a function that has run before.

        Raises:
            RuntimeError: it waits for the device, or does something else that cannot be captured.
            torch.OutOfMemoryError: there is no memory for it.
        """
        with torch.cuda.device(self._device):
            if self._stream is None:
                # The default capture stream belongs to whichever device captured first.
                self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            usual = torch.cuda.current_stream(self._device)
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(
                    graph,
                    pool=self._pool,  # type: ignore[arg-type]
                    stream=self._stream,
                    capture_error_mode="thread_local",
                ):
                    output = function()
            finally:
                # A capture that failed leaves its own stream behind as the current one.
                torch.cuda.set_stream(usual)
        return CudaRecording(graph, output)

    def clear(self) -> None:
        """Take a new pool next time; the old one goes with its last graph."""
        self._pool = None
