"""Namespaces: a world with no network, no other process, and nothing on disk but Python.

An ordinary user may make them too where the kernel lets everybody be root in a world of their own.
"""

# pathlib alone would double the time that Python takes to start
# ruff: noqa: PTH102, PTH103, PTH112, PTH113, PTH114, PTH115, PTH120, PTH211

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

from midfill.inference.evaluation.sandbox.system import check, libc

if TYPE_CHECKING:
    from collections.abc import Iterable

NOBODY = 65534

_NEW_MOUNTS, _NEW_UTS, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PROCESSES, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000

_NO_SETUID, _NO_DEVICES, _NO_EXECUTION = 2, 4, 8
_BIND, _RECURSIVE, _PRIVATE, _DETACH = 4096, 16384, 1 << 18, 2
_MOUNT_SETATTR = 442
"""The same on all machines."""

_HERE = -100
_READ_ONLY_NO_SETUID_NO_DEVICES = 0b111


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user", ctypes.c_uint64),
    )


def enter_namespaces(root: str, readable: Iterable[str], disk_bytes: int, files: int) -> str:
    """Move this process into a world of its own; its next child is the first process there.

    Args:
        root: an empty folder outside, where the world's root is put together.
        readable: files and folders that exist there too, read-only.
        disk_bytes, files: what may be written there, in memory.

    Returns:
        The folder there that can be written to. It vanishes with the world.

    Raises:
        OSError: this system does not allow it.
    """
    user, group = os.geteuid(), os.getegid()
    new = _NEW_MOUNTS | _NEW_UTS | _NEW_IPC | _NEW_USER | _NEW_PROCESSES | _NEW_NETWORK
    check(libc().unshare(new), "namespaces")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
    _write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    flags = _NO_SETUID | _NO_DEVICES | _NO_EXECUTION
    _mount("tmpfs", root, "tmpfs", flags, f"size={disk_bytes},nr_inodes={files},mode=755")
    for path in readable:
        _show(root, path)
    work = "/work"
    os.mkdir(root + work)
    os.chdir(root)
    check(libc().pivot_root(b".", b"."), "pivot_root")
    check(libc().umount2(b".", _DETACH), "umount")
    os.chdir("/")
    return work


def _show(root: str, path: str) -> None:
    """Bind a file or folder to the same place below ``root``; leave it out if it is missing."""
    there = root + path
    if os.path.lexists(there):  # it stands in a folder that is shown already
        return
    os.makedirs(os.path.dirname(there), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), there)
        return
    if os.path.isdir(path):
        os.mkdir(there)
    elif os.path.isfile(path):
        os.close(os.open(there, os.O_CREAT | os.O_WRONLY))
    else:
        return
    _mount(path, there, None, _BIND | _RECURSIVE)
    attributes = _Attributes(_READ_ONLY_NO_SETUID_NO_DEVICES)
    result = libc().syscall(
        _MOUNT_SETATTR, _HERE, there.encode(), 0x8000, ctypes.byref(attributes), 32
    )
    check(result, f"read-only {path}")


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str = ""
) -> None:
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    result = libc().mount(*arguments, ctypes.c_ulong(flags), os.fsencode(options) or None)
    check(result, f"mount {target}")


def _write(path: str, text: str) -> None:
    opened = os.open(path, os.O_WRONLY)
    try:
        os.write(opened, text.encode())
    finally:
        os.close(opened)
