"""The sandbox: programs pass or fail as they should, and hostile ones cannot hurt."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from midfill.inference.evaluation.sandbox.inside import LANDLOCK, NAMESPACES, SECCOMP
from midfill.inference.evaluation.sandbox.isolation import (
    NoIsolation,
    holds,
    is_enough,
    open_sandbox,
    working_mechanisms,
)
from midfill.inference.evaluation.sandbox.limits import Limits
from midfill.inference.evaluation.sandbox.runner import Outcome, Sandbox, SandboxFailed

working = cache(working_mechanisms)

LIMITS = Limits(seconds=0.8)

pytestmark = pytest.mark.skipif(
    not is_enough(working(), root=os.geteuid() == 0), reason="nothing here can shut a program in"
)


def _combinations() -> list[tuple[str, ...]]:
    """All that works here; and what is left of it where there are no namespaces, or no Landlock."""
    wanted = [working(), (LANDLOCK, SECCOMP), (NAMESPACES, SECCOMP)]
    if os.geteuid() != 0:
        wanted.append((NAMESPACES,))
    return list(dict.fromkeys(one for one in wanted if set(one) <= set(working())))


@pytest.fixture(params=_combinations(), ids="+".join)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return Sandbox(request.param, LIMITS)


@pytest.fixture
def best() -> Sandbox:
    return Sandbox(working(), LIMITS)


def unsafe() -> Sandbox:
    return Sandbox((), LIMITS)


def test_a_program_that_comes_to_its_end_has_passed(sandbox: Sandbox) -> None:
    program = """
import collections, hashlib, math, random, re, string, typing
def check(candidate):
    assert candidate(2) == 4
    assert hashlib.md5(b"a").hexdigest().startswith("0cc1")
check(lambda x: 2 * x)
"""
    assert sandbox.run(program).passed


@pytest.mark.parametrize(
    ("program", "detail"),
    [
        ("assert 1 == 2", "AssertionError"),
        ("def f(:\n  pass", "SyntaxError"),
        ("x = '\\0'\n1 / 0", "ZeroDivisionError"),
        ("a = \0", "ValueError or SyntaxError"),
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("x = '\ud800'", "UnicodeEncodeError"),
    ],
)
def test_a_program_that_raises_has_failed(program: str, detail: str) -> None:
    verdict = Sandbox(working(), LIMITS).run(program)

    assert verdict.outcome is Outcome.FAILED
    assert verdict.detail in detail.split(" or ")


@pytest.mark.parametrize(
    "program",
    [
        "import os\nos._exit(0)",
        "import os\nos._exit(64 + 2)",
        "import os\nos.abort()",
        "import os\nfor fd in range(3):\n    os.write(fd, b'passed:' + bytes(32))\nos._exit(0)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes\nctypes.string_at(0)",
        "import sys, os\nsys.stdout.write('passed:')\nsys.stdout.flush()\nos._exit(0)",
    ],
)
def test_a_program_that_ends_before_its_tests_has_not_passed(best: Sandbox, program: str) -> None:
    assert best.run(program).outcome is Outcome.CRASHED


def test_exceptions_that_a_program_swallows_do_not_make_it_pass(best: Sandbox) -> None:
    program = """
try:
    def f(x): return x
except BaseException:
    pass
def check(candidate):
    assert candidate(1) == 2
check(f)
"""
    assert best.run(program).detail == "AssertionError"


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time\ntime.sleep(60)",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except OSError: pass\nwhile True: pass",
    ],
)
def test_a_program_that_does_not_end_is_killed(best: Sandbox, program: str) -> None:
    started = time.monotonic()

    assert best.run(program).outcome is Outcome.TIMED_OUT
    assert time.monotonic() - started < 10


def test_writing_for_ever_fills_nothing(best: Sandbox) -> None:
    program = "import sys\nwhile True: sys.stdout.write('x' * 100000)"
    assert best.run(program).outcome is Outcome.TIMED_OUT


def test_flooding_whatever_descriptor_is_open_does_not_make_a_pass(best: Sandbox) -> None:
    program = """
import os
for fd in range(250):
    try:
        while True: os.write(fd, b"x" * 4096)
    except OSError:
        pass
"""
    assert not best.run(program).passed


def test_no_socket_reaches_this_machine_or_another(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = f"""
import socket
for address in (("127.0.0.1", {server.getsockname()[1]}), ("1.1.1.1", 53)):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_INET, kind) as one:
                one.settimeout(0.2)
                one.connect(address)
                one.send(b"hello")
        except OSError:
            continue
        raise SystemError(address)
"""
        assert sandbox.run(program).passed
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()


def _some_file_at_home() -> str:
    return next((str(path) for path in Path.home().iterdir() if path.is_file()), "/etc/hosts")


def test_files_elsewhere_can_be_neither_read_nor_changed(sandbox: Sandbox, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("secret")
    theirs.chmod(0o666)
    before = theirs.stat()
    program = f"""
import os
path, beside = {str(theirs)!r}, {str(tmp_path / "new")!r}
for attempt in (
    lambda: open(path).read(), lambda: open(path, "w"), lambda: open(path, "a"),
    lambda: os.remove(path), lambda: os.rename(path, beside), lambda: os.truncate(path, 0),
    lambda: os.chmod(path, 0), lambda: os.utime(path, (0, 0)), lambda: os.link(path, "link"),
    lambda: open(beside, "w"), lambda: os.mkdir(beside), lambda: os.listdir({str(tmp_path)!r}),
    lambda: open("/etc/passwd").read(), lambda: os.listdir("/tmp"),
    lambda: open({_some_file_at_home()!r}).read(), lambda: open("/tmp/midfill-was-here", "w"),
    lambda: open("/usr/lib/midfill-was-here", "w"), lambda: os.listdir("/proc"),
):
    try:
        attempt()
    except OSError:
        continue
    raise SystemError(attempt.__code__.co_consts)
"""
    verdict = sandbox.run(program)

    assert verdict.passed, verdict
    assert theirs.read_text() == "secret"
    assert (theirs.stat().st_mode, theirs.stat().st_mtime) == (before.st_mode, before.st_mtime)
    assert list(tmp_path.iterdir()) == [theirs]
    assert not Path("/tmp/midfill-was-here").exists()


def test_its_own_folder_is_there_and_gone_afterwards(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = "open('a', 'w').write('b')\nassert open('a').read() == 'b'"

    assert sandbox.run(program).passed
    assert list(tmp_path.iterdir()) == []


def test_the_disk_cannot_be_filled(sandbox: Sandbox, tmp_path: Path) -> None:
    program = """
number, full = 0, False
while not full:
    number += 1
    try:
        with open(f"file{number}", "wb") as file:
            while True: file.write(b"x" * 2**20)
    except OSError as error:
        full = error.errno != 27 and number > 2
raise SystemError
"""
    verdict = sandbox.run(program)

    assert verdict.outcome in {Outcome.DISK_FULL, Outcome.FAILED, Outcome.TIMED_OUT}


def test_memory_cannot_be_used_up(best: Sandbox) -> None:
    assert best.run("x = bytearray(2**30)").detail == "MemoryError"


def test_there_is_no_fork_bomb(sandbox: Sandbox) -> None:
    before = len(list(Path("/proc").iterdir()))
    program = """
import os, subprocess, threading
forks = 0
for _ in range(100000):
    try:
        os.fork()
    except OSError:
        continue
    forks += 1
for start in (
    lambda: subprocess.Popen(["/bin/true"]), lambda: os.execv("/bin/true", ["true"]),
    lambda: os.posix_spawn("/bin/true", ["true"], {}),
):
    try:
        start()
    except (OSError, RuntimeError):
        continue
    raise SystemError
assert not forks
"""
    assert sandbox.run(program).passed
    assert len(list(Path("/proc").iterdir())) < before + 50


def test_other_processes_are_left_alone(sandbox: Sandbox) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        program = f"""
import os, signal
for target in ({bystander.pid}, {os.getpid()}, {os.getppid()}, 1, -1):
    try:
        os.kill(target, signal.SIGKILL)
    except OSError:
        continue
"""
        verdict = sandbox.run(program)
        alive = bystander.poll() is None
        bystander.kill()

    assert alive
    assert verdict.outcome in {Outcome.PASSED, Outcome.CRASHED}


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            open({path!r}, "a").write("x")
            time.sleep(0.01)
    os._exit(0)
time.sleep(0.3)
"""


def test_a_daemon_does_not_outlive_its_program(tmp_path: Path) -> None:
    """Not even where it can be started at all."""
    log = tmp_path / "log"

    assert unsafe().run(DAEMON.format(path=str(log))).passed

    size = log.stat().st_size
    assert size > 0
    time.sleep(0.2)
    assert log.stat().st_size == size


@pytest.mark.skipif(NAMESPACES not in working(), reason="no namespaces here")
@pytest.mark.skipif(os.geteuid() != 0, reason="may not fork in namespaces")
def test_a_daemon_dies_with_its_namespaces() -> None:
    before = _sandboxes()

    assert Sandbox((NAMESPACES,), LIMITS).run(DAEMON.format(path="log")).passed

    time.sleep(0.1)
    assert _sandboxes() <= before


def test_nothing_is_left_of_a_sandbox_that_is_killed(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midfill.inference.evaluation.sandbox.runner.GRACE", -0.3)
    before = _sandboxes()

    assert sandbox.run("while True: pass").outcome is Outcome.TIMED_OUT

    time.sleep(0.2)
    assert _sandboxes() <= before


def _sandboxes() -> set[str]:
    """The processes of all sandboxes on this machine."""
    return {path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _is_ours(path)}


def _is_ours(command: Path) -> bool:
    try:
        return b"midfill.inference.evaluation.sandbox" in command.read_bytes()
    except OSError:
        return False


def test_the_token_is_in_no_name_or_object_of_the_program(best: Sandbox) -> None:
    program = """
import gc, sys
frame = sys._getframe()
while frame:
    for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
        assert not (isinstance(value, bytes) and len(value) == 32)
    frame = frame.f_back
"""
    assert best.run(program).passed


def test_the_sandbox_that_is_used_here_holds() -> None:
    assert open_sandbox().run("pass").passed


def test_an_isolation_that_does_not_hold_is_found_out() -> None:
    assert holds(working())
    assert not holds(())


@pytest.mark.parametrize(
    ("mechanisms", "root", "enough"),
    [
        ((), False, False),
        ((LANDLOCK,), False, False),
        ((SECCOMP,), False, False),
        ((NAMESPACES,), False, True),
        ((NAMESPACES,), True, False),
        ((NAMESPACES, SECCOMP), True, True),
        ((LANDLOCK, SECCOMP), True, True),
    ],
)
def test_network_files_and_processes_must_all_be_out_of_reach(
    mechanisms: tuple[str, ...], root: bool, enough: bool
) -> None:
    assert is_enough(mechanisms, root=root) is enough


def test_without_any_isolation_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "midfill.inference.evaluation.sandbox.isolation"
    monkeypatch.setattr(f"{module}.working_mechanisms", lambda: ())

    with pytest.raises(NoIsolation, match=r"^generated programs cannot be shut in .*$") as error:
        open_sandbox()
    assert "--without-sandbox" in str(error.value)


def test_a_mechanism_that_fails_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it run all the same, it would run without it."""
    monkeypatch.setattr(sys, "executable", "/bin/false/python")

    with pytest.raises(SandboxFailed):
        Sandbox(working(), LIMITS).run("pass")
