"""CUDA graphs: what a function asks of a GPU, asked again without Python.

Source: `torch.cuda.graph`, and what its documentation asks for: warm-up runs before, the capture on
a stream of its own, inputs and outputs that stay where they are.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        self._pool: tuple[int, int] | None = None
        self._stream: torch.cuda.Stream | None = None

    def record(self, function: Callable[[], Tensor]) -> CudaRecording:
        """Capture a function that has run before.

        Raises:
            RuntimeError: it waits for the device, or does something else that cannot be captured.
            torch.OutOfMemoryError: there is no memory for it.
        """
        with torch.cuda.device(self._device), _without_waiting():
            function()
        with torch.cuda.device(self._device):
            if self._stream is None:
                # The default capture stream belongs to whichever device captured first.
                self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            usual = torch.cuda.current_stream(self._device)
            graph = torch.cuda.CUDAGraph()
            pool = self._pool
            try:
                with torch.cuda.graph(
                    graph,
                    pool=pool,  # type: ignore[arg-type]
                    stream=self._stream,
                    capture_error_mode="thread_local",
                ):
                    output = function()
            except BaseException:
                self._clean_up_after(pool)
                raise
            finally:
                # A capture that failed leaves its own stream behind as the current one.
                torch.cuda.set_stream(usual)
        return CudaRecording(graph, output)

    def clear(self) -> None:
        """Take a new pool next time; the old one goes with its last graph."""
        self._pool = None

    def _clean_up_after(self, pool: tuple[int, int]) -> None:
        """A capture that failed: take another pool, and have the allocator let go of this one.

        In torch before 2.12 it would believe that the capture goes on, and fail when memory is
        given back (pytorch/pytorch#180395).
        """
        self._pool = None
        with suppress(RuntimeError, AttributeError):  # it has let go already
            torch._C._cuda_endAllocateToPool(torch.cuda.current_device(), pool)


@contextmanager
def _without_waiting() -> Iterator[None]:
    """Have whatever waits for the device raise an error: less harm is done here than in a capture.

    What a capture that fails leaves behind differs between versions of torch.
    """
    usual = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(usual)
