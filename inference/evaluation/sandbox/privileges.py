"""Giving up what a process may do beyond an ordinary one. Linux only."""

from __future__ import annotations

import ctypes

from midfill.inference.evaluation.sandbox.system import check, libc

_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38
_SUBREAPER, _DROP_FROM_BOUND, _AMBIENT, _AMBIENT_CLEAR = 36, 24, 47, 4
_CAPABILITY_VERSION = 0x20080522
_KILLED = 9


def die_with_parent() -> None:
    """Be killed as soon as whoever started this process is gone."""
    check(libc().prctl(_DIE_WITH_PARENT, _KILLED, 0, 0, 0), "die with parent")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent has ended."""
    check(libc().prctl(_SUBREAPER, 1, 0, 0, 0), "adopt orphans")


def drop_privileges() -> None:
    """Give up all capabilities for good, and the way to new ones through programs with more.

    Raises:
        OSError: the kernel keeps them.
    """
    system = libc()
    check(system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no new privileges")
    system.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    capability = 0
    while system.prctl(_DROP_FROM_BOUND, capability, 0, 0, 0) == 0:
        capability += 1
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    check(system.capset(ctypes.byref(header), ctypes.byref(none)), "capabilities")
