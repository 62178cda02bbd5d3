"""The C library, and its complaints as exceptions. Linux only."""

from __future__ import annotations

import ctypes
import os
from functools import cache


@cache
def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, doing: str) -> int:
    """A call's result.

    Raises:
        OSError: it is negative; says what was being done.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")
    return result
