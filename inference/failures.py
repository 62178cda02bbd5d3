"""Errors on the wire: from an exception to a `Failure` in the engine, and back in whoever asked."""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError, OutOfMemory
from midfill.inference.wire import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator


def failure_of(error: BaseException) -> Failure:
    """What is told about an error.

    The message of an error that is not Midfill's own is left out: it may hold source text.
    """
    if isinstance(error, MidfillError):
        return Failure(code=error.code, message=str(error))
    if _is_out_of_memory(error):
        return Failure(
            code=OutOfMemory.code,
            message="the engine has not enough memory for this: close other programs, or lower the "
            "limit on tokens",
        )
    return Failure(
        code=MidfillError.code,
        message=f"the engine failed ({type(error).__name__}{_place(error)}): its log says more",
    )


def error_of(failure: Failure) -> MidfillError:
    """The error that a `Failure` stands for; a plain `MidfillError` for a code nobody knows."""
    # A class without a code of its own is some module's private refinement.
    known = {kind.code: kind for kind in _kinds(MidfillError) if "code" in vars(kind)}
    error = known.get(failure.code, MidfillError)(failure.message)
    error.code = failure.code
    return error


def _kinds(kind: type[MidfillError]) -> Iterator[type[MidfillError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


def _is_out_of_memory(error: BaseException) -> bool:
    # By name, because this file never imports torch; its CPU allocator raises a bare RuntimeError.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error))
    )


def _place(error: BaseException) -> str:
    frames = extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
