"""A terminal for editors that have no other window: keys in, the screen out."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from installed import from_debian

from midfill.inference.downloads.cache_folder import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WIDTH, HEIGHT = 120, 40
STEP = 0.03
"""Seconds between two looks at the screen."""

PATIENCE = 60.0
"""Seconds that a busy machine is given; an idle one needs few of them."""

TRIES = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds until something is tried again that a busy engine, or one just found, does not answer."""


class Terminal:
    """A program in a terminal of its own, with this installation's ``midfill`` on its path."""

    def __init__(self, folder: Path, command: Sequence[str | Path]) -> None:
        """
        Args:
            folder: the program's home, its working folder, and where the terminal has its socket.
        """
        self._tmux = [from_debian("tmux", "tmux"), "-S", folder / "terminal", "-f", "/dev/null"]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        places = {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / ".config"),
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "MIDFILL_CACHE_DIR": str(cache_folder()),  # with another home it would be another
        }
        self._environment = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", **places}
        self._environment["TERM"] = "xterm-256color"
        line = shlex.join(str(part) for part in command)
        size = ["-x", str(WIDTH), "-y", str(HEIGHT), "-c", str(folder)]
        self._call("new-session", "-d", *size, line)
        self._call("set-option", "-g", "escape-time", "0")
        pid = self._call("display-message", "-p", "#{pane_pid}")
        self._program = psutil.Process(int(pid))

    def type(self, text: str) -> None:
        """Type a text as it is."""
        self._call("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by their names, such as ``Enter``, ``C-x`` or ``Escape``."""
        self._call("send-keys", *keys)

    def type_until(self, text: str, holds: Callable[[str], bool]) -> None:
        """Type a text that something is suggested for, and wait until that shows."""
        for seconds in TRIES:
            self.type(text)
            with suppress(AssertionError):
                self.wait_until(holds, seconds)
                return
            self.press(*["BSpace"] * len(text))
        raise AssertionError(f"nothing is suggested:\n{self.screen}")

    @property
    def screen(self) -> str:
        """The lines of the screen, without blanks at their ends."""
        return self._call("capture-pane", "-p")

    @property
    def coloured(self) -> str:
        """The screen with its colours, as a terminal is told them."""
        return self._call("capture-pane", "-p", "-e")

    def wait_for_start(self, *texts: str) -> None:
        """Wait until all of these texts are on the screen; ends the program if they never are."""
        try:
            self.wait_for(*texts)
        except AssertionError:
            self.close()
            raise

    def wait_for(self, *texts: str, seconds: float = PATIENCE) -> str:
        """The screen, once all of these texts are on it."""
        return self.wait_until(lambda screen: all(text in screen for text in texts), seconds)

    def wait_until(self, holds: Callable[[str], bool], seconds: float = PATIENCE) -> str:
        """The screen, once something holds of it."""
        end = time.monotonic() + seconds
        while not holds(screen := self.screen):
            assert time.monotonic() < end, f"it does not come to be:\n{screen}"
            time.sleep(STEP)
        return screen

    def close(self) -> None:
        """End the program and what it has started."""
        started = self._program.children(recursive=True)
        self._call("kill-server")
        end = time.monotonic() + 10
        while left := [process for process in [self._program, *started] if _lives(process)]:
            if time.monotonic() > end:
                left[0].kill()
            time.sleep(STEP)

    def _call(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments],
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=20,
        )
        assert done.returncode == 0, f"tmux {arguments[0]}: {done.stderr}"
        return done.stdout


def _lives(process: psutil.Process) -> bool:
    """Whether a process runs; where nobody collects orphans, those that have ended stay."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def wait_for_text(file: Path, wanted: Callable[[str], bool], seconds: float = PATIENCE) -> str:
    """A file's text once it is as wanted."""
    return next(text for text in _texts(file, seconds) if wanted(text))


def _texts(file: Path, seconds: float) -> Iterator[str]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield file.read_bytes().decode()
        time.sleep(STEP)
    raise AssertionError(f"it does not come to be:\n{file.read_text()}")
