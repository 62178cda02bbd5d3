"""Giving memory that was freed back to the system.

The C library keeps what was freed for the next time. After a model has been laid out that is a
fifth of the process, and the next time does not come.
"""

from __future__ import annotations

import ctypes
import gc


def give_back_freed_memory() -> None:
    """Hand back what can be; only glibc has to be told. Takes milliseconds."""
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library, or another system
        return
    trim(ctypes.c_size_t(0))
