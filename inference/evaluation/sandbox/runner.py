"""Starting a sandboxed interpreter for each program, and judging what comes out."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from midfill.inference.errors import MidfillError
from midfill.inference.evaluation.sandbox.inside import (
    DISK_FULL,
    LANDLOCK,
    NAMESPACES,
    NOT_SET_UP,
    SECCOMP,
    TIMED_OUT,
    Order,
)
from midfill.inference.evaluation.sandbox.limits import Limits
from midfill.inference.evaluation.sandbox.trial import TOKEN_BYTES

MECHANISMS = (NAMESPACES, LANDLOCK, SECCOMP)

GRACE = 20.0
"""Seconds for everything around a program, on a busy machine; then its sandbox is killed."""

_MOST_OUTPUT = 4096
_PACKAGE = "midfill.inference.evaluation.sandbox"
_BOOTSTRAP = f"""
import sys, types
package = sys.modules["{_PACKAGE}"] = types.ModuleType("{_PACKAGE}")
package.__path__ = [sys.argv[1]]
from {_PACKAGE}.inside import main
main()
"""
"""Imports this folder and nothing of what stands around it."""


class SandboxFailed(MidfillError):
    """A program under test could not be run at all."""

    code = "sandbox-failed"


class Outcome(StrEnum):
    """What became of a program."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    DISK_FULL = "disk-full"
    CRASHED = "crashed"
    """It ended without having come to its end: by a signal, or by exiting."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a program, and the name of the exception that ended it if one did."""

    outcome: Outcome
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Runs programs shut in by some mechanisms; without any, only limits hold."""

    mechanisms: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)

    def run(self, program: str) -> Verdict:
        """Run one program to its end, or to its limits.

        Raises:
            SandboxFailed: it could not be shut in, so it was not run.
        """
        try:
            program.encode()
        except UnicodeEncodeError as error:
            return Verdict(Outcome.FAILED, type(error).__name__)
        token = secrets.token_bytes(TOKEN_BYTES)
        with tempfile.TemporaryDirectory(
            prefix="midfill-eval-", ignore_cleanup_errors=True
        ) as folder:
            status, said, complaint = self._start(program, folder, token)
        if complaint:
            raise SandboxFailed(f"no program can be run in the sandbox: {complaint}")
        return _verdict(status, said, token)

    def _start(self, program: str, folder: str, token: bytes) -> tuple[int | None, bytes, str]:
        """Exit status (none if it had to be killed), output, complaint about the sandbox."""
        readable, written = os.pipe()
        try:
            os.write(written, token)
            os.close(written)
            order = Order(program, folder, self.mechanisms, asdict(self.limits), readable)
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, str(Path(__file__).parent)],
                cwd=folder,
                env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(readable,),
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxFailed(f"Python cannot be started in {folder}: {error}") from error
        finally:
            os.close(readable)
        try:
            return _finish(process, json.dumps(asdict(order)).encode(), self.limits.seconds + GRACE)
        finally:
            if process.poll() is None:
                process.kill()  # what it has started dies with it
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def _finish(
    process: subprocess.Popen[bytes], order: bytes, seconds: float
) -> tuple[int | None, bytes, str]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        process.stdin.write(order)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has a complaint
    # Never read while it runs: who writes on and on is stopped by the pipe, and then by the clock.
    try:
        status: int | None = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None, b"", ""
    complaint = ""
    if status not in (0, 1, TIMED_OUT, DISK_FULL):
        os.set_blocking(process.stderr.fileno(), False)
        complaint = (process.stderr.read(_MOST_OUTPUT) or b"").decode(errors="replace").strip()
        if not complaint and status == NOT_SET_UP:
            status = 1  # the program chose that status for itself
    os.set_blocking(process.stdout.fileno(), False)
    return status, process.stdout.read(_MOST_OUTPUT) or b"", complaint


def _verdict(status: int | None, said: bytes, token: bytes) -> Verdict:
    if status is None or status == TIMED_OUT:
        return Verdict(Outcome.TIMED_OUT)
    if status == DISK_FULL:
        return Verdict(Outcome.DISK_FULL)
    if status == 0 and said == b"passed:" + token:
        return Verdict(Outcome.PASSED)
    word, _, detail = said.partition(b":")
    if word == b"failed":
        return Verdict(Outcome.FAILED, detail.decode("ascii", "replace"))
    return Verdict(Outcome.CRASHED)
