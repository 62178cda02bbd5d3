"""Forward passes of one shape again and again: captured once as a graph, then replayed.

On a GPU a step over a few slots takes less time to compute than Python takes to ask for it. A graph
asks once. Without CUDA the same calls simply run.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from midfill.inference.cuda_graphs import CudaGraphs

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from torch import Tensor

log = logging.getLogger(__name__)

PLAIN_RUNS = 2
"""Before a capture: libraries set themselves up, and a shape that comes once is not worth one."""

MOST_GRAPHS = 32
"""Graphs kept; the one that was not used for longest goes first."""


class Recording(Protocol):
    """What was captured: operations on tensors that keep their addresses."""

    @property
    def output(self) -> Tensor:
        """Where each replay writes what the function returned."""
        ...

    def replay(self) -> None: ...


class Recorder(Protocol):
    """Captures what a function does on a device; may be asked for several functions."""

    def record(self, function: Callable[[], Tensor]) -> Recording:
        """Capture, without a result as yet.

        Raises:
            RuntimeError: the function does something that cannot be captured.
        """
        ...

    def clear(self) -> None:
        """Called when no recording is in use any more."""
        ...


@dataclass(slots=True)
class _Captured:
    recording: Recording
    inputs: dict[str, Tensor]


class CapturedSteps:
    """Runs functions of tensors on one device, each kind of call as a graph where that is possible.

    Inputs come from the host through page-locked memory, on the stream that everything runs on.
    Graphs share the memory for what stands between their operations, so an output is good until the
    next run of whichever kind.

    Attributes:
        device: where they run.
    """

    def __init__(
        self, device: torch.device, *, capture: bool = True, recorder: Recorder | None = None
    ) -> None:
        """Takes what captures; by default CUDA graphs where there is CUDA, else nothing does."""
        self.device = device
        if recorder is None and device.type == "cuda":
            recorder = CudaGraphs(device)
        self._recorder = recorder if capture else None
        self._captured: dict[Hashable, _Captured] = {}
        self._plain_runs: Counter[Hashable] = Counter()
        self._impossible: set[Hashable] = set()

    @property
    def graphs(self) -> int:
        """How many are kept."""
        return len(self._captured)

    @property
    def capturing(self) -> bool:
        """Whether graphs are captured."""
        return self._recorder is not None

    def run(self, kind: Hashable, function: Callable[..., Tensor], **inputs: Tensor) -> Tensor:
        """``function`` of the inputs, moved to the device.

        Args:
            kind: calls of one kind have the same function, which refers to the same other tensors
                at the same addresses. Of a kind, other shapes make other graphs.
            function: takes tensors by name and returns one.
            inputs: on the host or on the device.
        """
        if self._recorder is None:
            return function(**self._all_moved(inputs))
        shapes = ((name, tensor.shape, tensor.dtype) for name, tensor in inputs.items())
        key = (kind, *shapes)
        found = self._captured.pop(key, None)
        if found is None:
            if key in self._impossible or self._plain_runs[key] < PLAIN_RUNS:
                self._plain_runs[key] += 1
                return function(**self._all_moved(inputs))
            found = self._capture(self._recorder, function, inputs)
            if found is None:
                self._impossible.add(key)
                return function(**self._all_moved(inputs))
        self._captured[key] = found  # the last one is the one used last
        for name, tensor in inputs.items():
            found.inputs[name].copy_(self._pinned(tensor), non_blocking=True)
        found.recording.replay()
        return found.recording.output

    def moved(self, tensor: Tensor) -> Tensor:
        """A tensor on the device, through page-locked memory if it is on the host."""
        return self._pinned(tensor).to(self.device, non_blocking=True)

    def clear(self) -> None:
        """Forget all graphs and give their memory back.

        To be called before tensors go that graphs refer to.
        """
        self._wait()
        self._captured.clear()
        self._plain_runs.clear()
        self._impossible.clear()
        if self._recorder is not None:
            self._recorder.clear()

    def _capture(
        self, recorder: Recorder, function: Callable[..., Tensor], inputs: dict[str, Tensor]
    ) -> _Captured | None:
        """A graph of the function; None where it does what no graph can."""
        if len(self._captured) >= MOST_GRAPHS:
            self._wait()
            del self._captured[next(iter(self._captured))]
        static = {
            name: torch.empty(tensor.shape, dtype=tensor.dtype, device=self.device)
            for name, tensor in inputs.items()
        }
        for name, tensor in inputs.items():
            static[name].copy_(self._pinned(tensor), non_blocking=True)
        try:
            return _Captured(recorder.record(lambda: function(**static)), static)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            log.warning("a step cannot be captured as a graph and runs without: %s", reason)
            return None

    def _wait(self) -> None:
        """A graph is let go of only when the device is through with it."""
        if self.device.type == "cuda" and self._captured:
            torch.cuda.synchronize(self.device)

    def _all_moved(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: self.moved(tensor) for name, tensor in inputs.items()}

    def _pinned(self, tensor: Tensor) -> Tensor:
        """In page-locked memory, which its allocator keeps until the copy that reads it is done."""
        if tensor.device.type != "cpu" or self.device.type != "cuda":
            return tensor
        return tensor.contiguous().pin_memory()  # what is expanded cannot be pinned
