"""Giving memory that was freed back to the system.

The C library keeps what was freed for the next time. After a model has been laid out that is a
sixth of the process, and after a long prompt some tens of megabytes.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def give_back_freed_memory() -> None:
    """Hand back what can be; only glibc has to be told. Takes a millisecond or two."""
    if trim := _trim():
        trim(ctypes.c_size_t(0))


@lru_cache(maxsize=1)
def _trim() -> Callable[[ctypes.c_size_t], int] | None:
    try:
        found: Callable[[ctypes.c_size_t], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library, or another system
        return None
    return found
