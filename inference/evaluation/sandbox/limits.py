"""How much of the machine a program under test may use."""

from __future__ import annotations

import math
from dataclasses import dataclass

MEGABYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: by the clock, from its start.
        memory: bytes of address space.
        file: bytes of its largest file.
        disk: bytes of all its files.
        files: how many files.
        open_files: how many at the same time.
    """

    seconds: float = 3.0
    memory: int = 512 * MEGABYTE
    file: int = 4 * MEGABYTE
    disk: int = 16 * MEGABYTE
    files: int = 1000
    open_files: int = 256


def apply_limits(limits: Limits, *, may_fork: bool) -> None:
    """Set this process's limits for good, as far as the system knows them and has no tighter."""
    import resource

    seconds = math.ceil(limits.seconds) + 1
    wanted = {
        "RLIMIT_CPU": seconds,
        "RLIMIT_AS": limits.memory,
        "RLIMIT_FSIZE": limits.file,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_CORE": 0,
    }
    if not may_fork:
        wanted["RLIMIT_NPROC"] = 0
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            continue  # macOS knows a limit of address space but takes none
