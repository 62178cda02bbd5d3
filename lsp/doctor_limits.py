"""What a process is held to beyond what the machine has: cores, memory and threads.

Limits of a container are files of its control groups, version 1 or 2; each group is held to those
of all groups that it is in. See ``man 7 cgroups``.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class ControlGroups:
    """Where to read a process's groups.

    Attributes:
        listing: which groups the process is in.
        root: where they are mounted.
    """

    listing: Path = Path("/proc/self/cgroup")
    root: Path = Path("/sys/fs/cgroup")

    def cores(self) -> float | None:
        """Cores' worth of time that may be used; None where there is no limit."""
        quotas = []
        for folder in self._folders("cpu"):
            with suppress(OSError, ValueError):
                quota, period = (folder / "cpu.max").read_text().split()
                quotas.append(int(quota) / int(period))  # "max" is no number
            with suppress(OSError, ValueError):
                if (quota_us := _number(folder / "cpu.cfs_quota_us")) > 0:
                    quotas.append(quota_us / _number(folder / "cpu.cfs_period_us"))
        return min(quotas, default=None)

    def memory(self) -> int | None:
        """Bytes that are left; files that were only read do not count as used."""
        left = []
        for folder in self._folders("memory"):
            for limit, used, idle in (
                ("memory.max", "memory.current", "inactive_file"),
                ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
            ):
                with suppress(OSError, ValueError):
                    most, now = _number(folder / limit), _number(folder / used)
                    left.append(most - now + _of_statistics(folder / "memory.stat", idle))
        return min(left, default=None)

    def threads(self) -> int | None:
        """Threads that may still be started."""
        left = []
        for folder in self._folders("pids"):
            with suppress(OSError, ValueError):
                left.append(_number(folder / "pids.max") - _number(folder / "pids.current"))
        return min(left, default=None)

    def _folders(self, controller: str) -> Iterator[Path]:
        """That of the process's group and of all groups around it, for one kind of limit."""
        lines: list[str] = []
        with suppress(OSError):
            lines = self.listing.read_text().splitlines()
        for line in lines:
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if controllers and controller not in controllers.split(","):
                continue
            mount = self.root / controller if controllers else self.root
            inner = Path(path.lstrip("/"))
            # In a container the path may be the host's, which is not there; the root always is.
            yield from (mount / part for part in (inner, *inner.parents) if part != Path())
            yield mount


def threads_of_user_left() -> int | None:
    """Threads that this user may still start; None where there is no limit, or nobody to ask.

    The administrator is held to none.
    """
    if sys.platform != "linux" or os.getuid() == 0:
        return None
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if most == resource.RLIM_INFINITY:
        return None
    return max(0, most - _threads_of(os.getuid()))


def _threads_of(user: int) -> int:
    """How many threads all processes of a user have, as far as that can be seen."""
    count = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                if process.stat().st_uid == user:
                    count += sum(1 for _ in (process / "task").iterdir())
    return count


def _number(file: Path) -> int:
    return int(file.read_text())


def _of_statistics(file: Path, name: str) -> int:
    """One figure of a file of names and figures; 0 if it has none of that name."""
    with suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    return 0
