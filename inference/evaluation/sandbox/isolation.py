"""Which mechanisms a machine has, found by trying them, and whether they are enough."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from midfill.inference.errors import MidfillError
from midfill.inference.evaluation.sandbox.inside import LANDLOCK, NAMESPACES, SECCOMP
from midfill.inference.evaluation.sandbox.limits import Limits
from midfill.inference.evaluation.sandbox.runner import (
    MECHANISMS,
    Outcome,
    Sandbox,
    SandboxFailed,
)

TRIAL_LIMITS = Limits(seconds=10.0)

ESCAPES = """
import os, socket

def escapes(attempt):
    try:
        attempt()
    except BaseException:
        return False
    return True

attempts = [
    lambda: open({file!r}).read(),
    lambda: open({file!r}, "a"),
    lambda: os.remove({file!r}),
    lambda: open({beside!r}, "w"),
    lambda: socket.create_connection(("127.0.0.1", {port}), 1),
    lambda: os.kill({process}, 0),
]
assert [number for number, attempt in enumerate(attempts) if escapes(attempt)] == []
"""
"""A program that comes to its end only if it cannot get out."""


class NoIsolation(MidfillError):
    """This machine cannot run programs that nobody has read."""

    code = "no-isolation"


def open_sandbox(limits: Limits | None = None) -> Sandbox:
    """A sandbox with everything that works here, checked by trying to break out of it.

    Raises:
        NoIsolation: network, files and other processes cannot all be kept from a program.
        SandboxFailed: Python itself cannot be started.
    """
    _need_processes()
    mechanisms = working_mechanisms()
    if not is_enough(mechanisms, root=os.geteuid() == 0) or not holds(mechanisms):
        found = ", ".join(mechanisms) or "no mechanism"
        raise NoIsolation(
            f"generated programs cannot be shut in on this machine ({found} works); use Linux 5.13 "
            "or later, or --without-sandbox where nothing can be lost, such as in a container"
        )
    return Sandbox(mechanisms, limits or Limits())


def open_without(limits: Limits | None = None) -> Sandbox:
    """No sandbox: time, memory and size of files are limited, and nothing else.

    Raises:
        NoIsolation: not even that can be had here.
    """
    _need_processes()
    return Sandbox((), limits or Limits())


def _need_processes() -> None:
    if not hasattr(os, "fork"):
        raise NoIsolation(
            "programs cannot be run on this system, neither in a sandbox nor without one; "
            "use Linux, or the suite self"
        )


def working_mechanisms() -> tuple[str, ...]:
    """Those that a harmless program survives, first alone and then together."""
    working: tuple[str, ...] = ()
    for mechanism in MECHANISMS:
        if _runs((mechanism,)) and (not working or _runs((*working, mechanism))):
            working = (*working, mechanism)
    return working


def is_enough(mechanisms: tuple[str, ...], *, root: bool) -> bool:
    """Whether network, files and other processes are all out of reach.

    Namespaces reach for all three, but only the filter of system calls keeps a program of root's
    from forking without end; Landlock knows files, but not all that can be done to them.
    """
    if NAMESPACES in mechanisms:
        return SECCOMP in mechanisms or not root
    return LANDLOCK in mechanisms and SECCOMP in mechanisms


def holds(mechanisms: tuple[str, ...]) -> bool:
    """Whether a program that tries to get out fails at everything."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        file = Path(folder, "file")
        file.write_text("here")
        program = ESCAPES.format(
            file=str(file),
            beside=str(file.with_name("beside")),
            port=server.getsockname()[1],
            process=os.getpid(),
        )
        return Sandbox(mechanisms, TRIAL_LIMITS).run(program).outcome is Outcome.PASSED


def _runs(mechanisms: tuple[str, ...]) -> bool:
    program = "import hashlib, math, re\nopen('file', 'w').write('x')\nassert math.pi > 3"
    try:
        return Sandbox(mechanisms, TRIAL_LIMITS).run(program).passed
    except SandboxFailed:
        return False
