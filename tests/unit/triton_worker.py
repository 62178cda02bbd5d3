"""Triton without a GPU: kernels interpreted, or compiled for a card that is not there.

Which of the two is settled when triton is imported, and whoever runs many tests in one process has
imported it long before. So each has a process of its own.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Compiled:
    """A kernel's machine code: its size, and the shared memory that it takes; bytes."""

    name: str
    code: int
    shared: int


class Worker:
    """Calls functions in another process, by module and name."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def __call__(self, operation: str, *arguments: object) -> Any:  # noqa: ANN401
        """The Triton version of an operation."""
        return self._do(in_triton, operation, *arguments)

    def routed(self, operation: str, *arguments: object) -> tuple[Any, int]:
        """The operation as everybody calls it, with Triton forced, and how often Triton did it."""
        found: tuple[Any, int] = self._do(as_everybody, operation, *arguments)
        return found

    def compiled(self, operation: str, *arguments: object) -> list[Compiled]:
        """The kernels that an operation launches, compiled."""
        found: list[Compiled] = self._do(only_compiled, operation, *arguments)
        return found

    def _do(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        # Pickled here: otherwise torch would put every tensor into a file of shared memory.
        return pickle.loads(
            self._pool.submit(_answer, pickle.dumps((function, arguments))).result()
        )


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[Worker]:
    """A process with this in its environment from the start."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _begin, (environment,)) as pool:
        yield Worker(pool)


def _begin(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    import torch

    torch.set_num_threads(1)


def _answer(asked: bytes) -> bytes:
    function, arguments = pickle.loads(asked)
    return pickle.dumps(function(*arguments))


def in_triton(operation: str, *arguments: object) -> Any:  # noqa: ANN401
    module = importlib.import_module(f"midfill.kernels.triton.{operation}")
    return getattr(module, operation)(*arguments)


def as_everybody(operation: str, *arguments: object) -> tuple[Any, int]:
    public = importlib.import_module(f"midfill.kernels.{operation}")
    module = importlib.import_module(f"midfill.kernels.triton.{operation}")
    with (
        patch.object(module, operation, wraps=getattr(module, operation)) as watched,
        patch.dict(os.environ, {"MIDFILL_KERNELS": "triton"}),
    ):
        return getattr(public, operation)(*arguments), watched.call_count


CAPABILITY = 80


def only_compiled(operation: str, *arguments: object) -> list[Compiled]:
    import torch
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver
    from triton.runtime.jit import JITFunction

    class Card:
        """As much of a card as a compiler asks for."""

        def get_current_target(self) -> GPUTarget:
            return GPUTarget("cuda", CAPABILITY, 32)

        def get_current_device(self) -> int:
            return 0

        def get_current_stream(self, device: int | None = None) -> int:
            return 0

        def get_active_torch_device(self) -> torch.device:
            return torch.device("cpu")

    kernels = []

    def compiling(kernel: JITFunction[Any], grid: tuple[int, ...]) -> Callable[..., None]:
        def compile_it(*arguments: object, **constants: object) -> None:
            made = kernel.run(*arguments, grid=grid, warmup=True, **constants)
            code = len(made.asm["cubin"])
            kernels.append(Compiled(kernel.__name__, code, made.metadata.shared))

        return compile_it

    driver.set_active(Card())
    with patch.object(JITFunction, "__getitem__", compiling):
        in_triton(operation, *arguments)
    return kernels
