"""The native operations, where they were built and this processor can run them.

They are compiled when Midfill is installed, if there is a C++ compiler; without one, everything
runs in plain torch.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midfill.kernels.native.self_check import first_that_agrees

if TYPE_CHECKING:
    from midfill.kernels.native.calls import AttentionCall, LinearCall, UnmaskCall

INSTRUCTION_SETS = ("avx512vnni", "avxvnni", "avx2", "portable")
"""The best first. All give the same products of integers; only the last needs no special one."""

INSTRUCTION_SET_VARIABLE = "MIDFILL_INSTRUCTION_SET"
"""The environment variable that names the instruction set to use, or ``none`` for plain torch."""


class NativeLibrary:
    """The library in memory. Calls let other Python threads run."""

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            OSError: it is not there, or not for this machine.
        """
        self._library = ctypes.CDLL(str(path))
        self._library.midfill_instruction_set.restype = ctypes.c_char_p
        self._library.midfill_instruction_set.argtypes = []
        for name in ("midfill_linear", "midfill_canvas_attention", "midfill_unmask"):
            getattr(self._library, name).restype = None
        self._linear: Any = self._library.midfill_linear
        self._attention: Any = self._library.midfill_canvas_attention
        self._unmask: Any = self._library.midfill_unmask

    @property
    def instruction_set(self) -> str:
        """The one in use, of `INSTRUCTION_SETS`."""
        name: bytes = self._library.midfill_instruction_set()
        return name.decode()

    def use_instruction_set(self, name: str) -> bool:
        """Choose another; whether this processor has it."""
        return bool(self._library.midfill_use_instruction_set(name.encode()))

    def use_threads(self, threads: int) -> int:
        """Share work among so many threads; returns how many there are."""
        return int(self._library.midfill_use_threads(ctypes.c_int(max(1, threads))))

    def linear(self, call: LinearCall) -> None:
        self._linear(ctypes.byref(call))

    def canvas_attention(self, call: AttentionCall) -> None:
        self._attention(ctypes.byref(call))

    def unmask(self, call: UnmaskCall) -> None:
        self._unmask(ctypes.byref(call))


def built_library() -> Path | None:
    """The file that was built on installation, if one was."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_native{suffix}")
        if path.exists():
            return path
    return None


@lru_cache(maxsize=1)
def native_library() -> NativeLibrary | None:
    """The library, ready for use, or nothing where plain torch has to do."""
    wanted = os.environ.get(INSTRUCTION_SET_VARIABLE, "")
    path = built_library()
    if path is None or wanted == "none":
        return None
    try:
        library = NativeLibrary(path)
    except OSError:
        return None
    chosen = tuple(name for name in INSTRUCTION_SETS if name in (wanted, INSTRUCTION_SETS[-1]))
    first_that_agrees(library, chosen if wanted else INSTRUCTION_SETS)
    library.use_threads(usable_threads())
    return library


def usable_threads() -> int:
    """Threads that can run at once: as many as this process may use cores, of its kind at most.

    Two threads of one core share its arithmetic and gain nothing from each other.
    """
    import psutil

    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # only some systems have it
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))
