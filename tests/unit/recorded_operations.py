"""A graph without a GPU: tensor operations, recorded once and repeated on the very same tensors.

As with a CUDA graph, nothing of Python runs again: whatever a step reads from anywhere but its
static inputs is what it was when it was recorded, and a tensor that nobody needs is still written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

HOST_READS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::item", "aten::is_nonzero")
"""What waits for the device, and so cannot be captured."""


@dataclass
class Operation:
    function: Any
    args: Any
    kwargs: Any
    results: list[Tensor]


class _Listening(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 -- whatever torch dispatches
        types: object,
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> object:
        if func.name().partition(".")[0] in HOST_READS:
            raise RuntimeError("operation not permitted when stream is capturing\nmore of it")
        result = func(*args, **(kwargs or {}))
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        self.operations.append(Operation(func, args, kwargs or {}, results))
        return result


@dataclass
class RepeatedOperations:
    """A `Recording`."""

    operations: list[Operation]
    output: Tensor
    replays: int = 0

    def replay(self) -> None:
        self.replays += 1
        for operation in self.operations:
            again = operation.function(*operation.args, **operation.kwargs)
            fresh = [leaf for leaf in tree_leaves(again) if isinstance(leaf, torch.Tensor)]
            for before, now in zip(operation.results, fresh, strict=True):
                if before.data_ptr() != now.data_ptr():  # neither a view nor in place
                    before.copy_(now)


@dataclass
class OperationRecorder:
    """A `Recorder`, and what it was asked for."""

    recordings: list[RepeatedOperations] = field(default_factory=list)
    clears: int = 0
    failure: Exception | None = None

    def record(self, function: Callable[[], Tensor]) -> RepeatedOperations:
        if self.failure is not None:
            raise self.failure
        with _Listening() as listening:
            output = function()
        recording = RepeatedOperations(listening.operations, output)
        output.fill_(torch.nan if output.is_floating_point() else -1)  # a capture computes nothing
        self.recordings.append(recording)
        return recording

    def clear(self) -> None:
        self.clears += 1
