"""What runs in the fresh interpreter: it shuts itself in, then runs one program under test.

Three processes where there are namespaces: the one that was started enters them; its child is the
first process of the new world and keeps the time; that one's child gives up what it may do and runs
the program. When the first process of a world ends, the kernel kills all others in it.

Nothing but the standard library and this folder is imported here, and little of that.
"""

# pathlib alone would double the time that Python takes to start
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import NoReturn

from midfill.inference.evaluation.sandbox.landlock import restrict_files
from midfill.inference.evaluation.sandbox.limits import Limits, apply_limits
from midfill.inference.evaluation.sandbox.namespaces import enter_namespaces
from midfill.inference.evaluation.sandbox.privileges import (
    adopt_orphans,
    die_with_parent,
    drop_privileges,
)
from midfill.inference.evaluation.sandbox.seccomp import restrict_system_calls
from midfill.inference.evaluation.sandbox.trial import run_trial

NAMESPACES, LANDLOCK, SECCOMP = "namespaces", "landlock", "seccomp"

TIMED_OUT, DISK_FULL, NOT_SET_UP = 64, 65, 66
"""Exit statuses; the last one counts only if there is a complaint on standard error too."""

_GLANCE = 0.002
_LONGEST_GLANCE = 0.02
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")


@dataclass(frozen=True)
class Order:
    """What is to be done, as it comes on standard input.

    Attributes:
        program: Python source.
        folder: an empty folder for this program alone.
        mechanisms: what to shut it in with; none leaves only limits.
        limits: as the fields of `Limits`.
        token: a file descriptor to read the token from that shows that the program has ended.
    """

    program: str
    folder: str
    mechanisms: tuple[str, ...]
    limits: dict[str, float]
    token: int


def main() -> NoReturn:
    """Do what standard input says, and exit with the program's fate."""
    order = Order(**json.load(sys.stdin))
    try:
        status = _supervise(order)
    except Exception as error:
        _complain(error)
        status = NOT_SET_UP
    os._exit(status)


def _complain(error: Exception) -> None:
    os.write(2, f"{type(error).__name__}: {error}".encode())


def _supervise(order: Order) -> int:
    """Enter the new world and watch over it; the exit status of the program's process."""
    limits = Limits(**order.limits)  # type: ignore[arg-type]
    readable = [*_LIBRARIES, _library_folder(), *filter(None, sys.path)]
    work = order.folder
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)  # in the new world there is none to be opened
    if NAMESPACES in order.mechanisms:
        work = enter_namespaces(order.folder, readable, limits.disk, limits.files)
        first = os.fork()
        if first:
            _die_with_parent()
            return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 127
    _die_with_parent()
    os.chdir(work)
    child = _start(order, limits, readable, work)
    status = _watch(child, limits, work)
    if NAMESPACES not in order.mechanisms:
        _kill_all(child)
    return status


def _start(order: Order, limits: Limits, readable: list[str], work: str) -> int:
    """Start the process that shuts itself in and runs the program."""
    child = os.fork()
    if not child:
        _run(order, limits, readable, work)
    return child


def _run(order: Order, limits: Limits, readable: list[str], work: str) -> NoReturn:
    try:
        _die_with_parent()
        os.setsid()
        result, token = _hide_descriptors(order.token)
        apply_limits(limits, may_fork=not order.mechanisms)
        if order.mechanisms:
            _shut_in(order.mechanisms, readable, work)
    except Exception as error:
        _complain(error)
        os._exit(NOT_SET_UP)
    os.dup2(0, 2)  # also cuts the program off from where complaints go
    run_trial(order.program, result, token)


def _shut_in(mechanisms: tuple[str, ...], readable: list[str], work: str) -> None:
    drop_privileges()
    if LANDLOCK in mechanisms:
        restrict_files(readable, work)
    if SECCOMP in mechanisms:
        restrict_system_calls()


def _hide_descriptors(token: int) -> tuple[int, int]:
    """Move result and token to descriptors that nobody would guess; close all others.

    Standard output becomes the null device too. Standard error stays, for complaints.
    """
    seed = os.urandom(2)
    places = 40 + seed[0] % 100, 140 + seed[1] % 100
    os.dup2(1, places[0], inheritable=False)
    os.dup2(token, places[1], inheritable=False)
    os.dup2(0, 1)
    for first, behind in (
        (3, min(places)),
        (min(places) + 1, max(places)),
        (max(places) + 1, 1024),
    ):
        os.closerange(first, behind)
    return places


def _watch(child: int, limits: Limits, work: str) -> int:
    """Wait for the program's end; its exit status, or what it has overstepped."""
    started, glance, status = time.monotonic(), _GLANCE, None
    while status is None:
        ended, raw = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(raw)
            status = code if 0 <= code < TIMED_OUT or code == NOT_SET_UP else 1
        elif time.monotonic() - started > limits.seconds:
            status = TIMED_OUT
        elif _too_much_on_disk(work, limits):
            status = DISK_FULL
        else:
            time.sleep(glance)
            glance = min(2 * glance, _LONGEST_GLANCE)
    return status


def _too_much_on_disk(folder: str, limits: Limits) -> bool:
    """Whether the program has written more than it may, as far as it lets us look."""
    used = files = 0
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    files += 1
                    if files > limits.files:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        used += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return used > limits.disk


def _kill_all(child: int) -> None:
    """Kill the program's process group, and every orphan that has become a child of ours."""
    for kill, target in ((os.killpg, child), (os.kill, child)):
        try:
            kill(target, signal.SIGKILL)
        except OSError:
            continue
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        for orphan in _children():
            try:
                os.kill(orphan, signal.SIGKILL)
            except OSError:
                continue
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(_GLANCE)


def _children() -> list[int]:
    """Children of this process, where the system tells."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listing:
            return [int(number) for number in listing.read().split()]
    except OSError:
        return []


def _die_with_parent() -> None:
    if sys.platform == "linux":
        die_with_parent()
        adopt_orphans()


def _library_folder() -> str:
    """Where libraries that Python itself brought along may stand."""
    return os.path.join(sys.base_prefix, "lib")
