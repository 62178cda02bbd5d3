"""Landlock: which files may be touched at all, no TCP, no signals to others."""

# pathlib alone would double the time that Python takes to start
# ruff: noqa: PTH112

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

from midfill.inference.evaluation.sandbox.system import check, libc

if TYPE_CHECKING:
    from collections.abc import Iterable

# the numbers of these calls are the same on all machines
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_BENEATH_PATH = 1

_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_READ = _READ_FILE | _READ_FOLDER
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""From which version on the kernel knows how many rights over files."""

_TCP_SINCE, _TCP = 4, 0b11
_SCOPES_SINCE, _SCOPES = 6, 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict_files(readable: Iterable[str], writable: str) -> None:
    """Leave this process, for good, only some folders. Takes ``no_new_privs``.

    Args:
        readable: files and folders that may be read; those that are missing are left out.
        writable: a folder in which everything may be done but execute files.

    Raises:
        OSError: the kernel has no Landlock.
    """
    system = libc()
    version = check(system.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION), "landlock")
    rights = (1 << max(n for since, n in _FILE_RIGHTS.items() if since <= version)) - 1
    ruleset = _Ruleset(
        rights,
        _TCP if version >= _TCP_SINCE else 0,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )
    # an older kernel takes a shorter structure
    size = 8 if version < _TCP_SINCE else 16 if version < _SCOPES_SINCE else 24
    rules = check(system.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0), "landlock")
    try:
        for path in readable:
            _allow(rules, path, _READ)
        _allow(rules, writable, rights & ~_EXECUTE)
        check(system.syscall(_RESTRICT_SELF, rules, 0), "landlock")
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _READ_FILE
        beneath = _Beneath(rights, opened)
        result = libc().syscall(_ADD_RULE, rules, _BENEATH_PATH, ctypes.byref(beneath), 0)
        check(result, f"landlock for {path}")
    finally:
        os.close(opened)
