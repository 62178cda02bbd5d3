"""A real Neovim with the plugin, driven over its RPC: typed into, and read."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

PLUGIN = Path(__file__).resolve().parents[2] / "editors" / "neovim"
SERVER = [str(Path(sys.executable).with_name("midfill")), "lsp"]

EVERYTHING = {"minimumConfidence": 0}
"""Settings by which tests see a suggestion however unlikely it is."""

PATIENCE = 60.0
"""Seconds after which what a test waits for does not come any more."""

GIVEN_UP = 15.0
"""Seconds behind which an engine has answered, be it that its time ran out."""

ONE_ANSWER = 5.0
"""Seconds that one answer takes at most, unless the machine is very busy."""

LEAVING_SECONDS = 10

READ_GHOST = """
local marks = {}
for name, namespace in pairs(vim.api.nvim_get_namespaces()) do
  if name == 'midfill.ghost' or name == 'nvim.lsp.inline_completion' then
    vim.list_extend(marks, vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true }))
  end
end
return marks
"""

READ_DRAFT = """
local namespace = vim.api.nvim_create_namespace('midfill.draft')
return vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })
"""

BEFORE = """
_G.said = {}
vim.notify = function(text, level) table.insert(_G.said, { text, level or 2 }) end
vim.g.loaded_python3_provider = 0
"""


def fake_program(path: Path, text: str) -> list[str]:
    """A shell script in place of the server."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path), "lsp"]


class Ghost:
    """Grey text on the screen.

    Attributes:
        row: from 0.
        col: in bytes.
        text: all of its lines.
    """

    def __init__(self, mark: list[Any]) -> None:
        _, self.row, self.col, details = mark
        first = "".join(piece for piece, *_ in details.get("virt_text", []))
        below = ["".join(piece for piece, *_ in line) for line in details.get("virt_lines", [])]
        self.text = "\n".join([first, *below])

    def __repr__(self) -> str:
        return f"Ghost({self.row}, {self.col}, {self.text!r})"


class Neovim:
    """One process, with the plugin set up."""

    def __init__(self, program: Path, home: Path, environment: Mapping[str, str] = {}) -> None:
        import pynvim

        home.mkdir(exist_ok=True)
        before = dict(os.environ)
        own = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA")}
        os.environ.update({**own, "NVIM_LOG_FILE": str(home / "log"), **environment})
        argv = [str(program), "--clean", "-n", "-i", "NONE", "--embed", "--headless"]
        argv += ["--cmd", f"set runtimepath^={PLUGIN}", "--cmd", "let g:midfill = v:false"]
        try:
            self.nvim = pynvim.attach("child", argv=argv)
        finally:
            os.environ.clear()
            os.environ.update(before)
        self.process = psutil.Process(self.lua("return vim.fn.getpid()"))
        self.lua(BEFORE)

    def set_up(self, **options: object) -> None:
        """Call the plugin's `setup`, with the server of this environment unless told otherwise."""
        said = {"cmd": SERVER, "settings": EVERYTHING, **options}
        self.lua("require('midfill').setup(...)", said)

    def begin_anew(self, folder: Path) -> None:
        """Normal mode, nothing said, no file open, in another folder."""
        self.type("<C-\\><C-n>")
        self.wait(lambda: self.mode == "n", "Normal mode")
        self.command("silent! %bwipeout!")
        self.command(f"cd {folder}")
        self.lua("_G.said = {}")

    def configure(self, **settings: object) -> None:
        """Change the server's settings while it runs."""
        self.lua("require('midfill').configure(...)", {**EVERYTHING, **settings})

    def show(self, path: Path, text: str) -> None:
        """Write a file, open it, and wait for the engine."""
        path.write_text(text)
        self.open(path)
        self.ready()

    def close(self) -> None:
        """Leave, as a user does."""
        if not self.process.is_running():
            return
        self.nvim.command("qa!", async_=True)
        try:
            self.process.wait(LEAVING_SECONDS)
        except psutil.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(Exception):  # pynvim complains of the pipe that has gone
            self.nvim.close()

    def lua(self, code: str, *arguments: object) -> Any:  # noqa: ANN401 (as Lua has it)
        return self.nvim.exec_lua(code, *arguments)

    def command(self, command: str) -> None:
        self.nvim.command(command)

    def open(self, path: Path) -> None:
        """Edit a file, in which keys do what they say: nothing indents on its own."""
        self.command(f"edit {path}")
        self.command("setlocal noautoindent nosmartindent indentexpr= expandtab")

    def type(self, keys: str) -> None:
        self.nvim.input(keys)

    def type_text(self, text: str) -> None:
        """Type a text of one line."""
        self.nvim.input(text.replace("<", "<lt>"))

    @property
    def mode(self) -> str:
        return str(self.nvim.api.get_mode()["mode"])

    @property
    def lines(self) -> list[str]:
        return list(self.nvim.api.buf_get_lines(0, 0, -1, True))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def line(self) -> str:
        return str(self.nvim.api.get_current_line())

    @property
    def cursor(self) -> tuple[int, int]:
        """Row from 0, and bytes."""
        row, col = self.nvim.api.win_get_cursor(0)
        return row - 1, col

    @property
    def ghost(self) -> Ghost | None:
        marks = self.lua(READ_GHOST)
        assert len(marks) <= 1, marks
        return Ghost(marks[0]) if marks else None

    @property
    def draft(self) -> list[Any]:
        return list(self.lua(READ_DRAFT))

    @property
    def said(self) -> list[str]:
        """What popped up."""
        return [text for text, _ in self.lua("return _G.said")]

    def explanation(self) -> str:
        """What the server says about why nothing is suggested."""
        self.lua("_G.said = {}")
        self.command("Midfill explain")
        return str(self.wait(lambda: self.said, "an explanation")[0])

    def kept_quiet(self, line: str, words: str) -> None:
        """Wait until a line is typed and nothing suggested, with these words as the explanation.

        It is typed again as often as it takes: what was asked before a change is answered too.
        Each time there is a moment to ask in, as an editor waits for the next key first.
        """

        def quiet() -> bool:
            self.type("<C-u>")
            self.wait(lambda: self.line == "", "an empty line")
            self.type(line)
            self.wait(lambda: self.line == line, "the line")
            with suppress(AssertionError):
                return self.wait(lambda: words in self.explanation(), words, ONE_ANSWER)
            return False

        self.wait(quiet, words)
        assert self.ghost is None

    @property
    def statusline(self) -> str:
        return str(self.lua("return require('midfill').statusline()"))

    def wait(self, wanted: Callable[[], T], what: str = "", seconds: float = PATIENCE) -> T:
        """Wait until something is so; what it is then."""
        end = time.monotonic() + seconds
        while not (value := wanted()):
            if time.monotonic() > end:
                raise AssertionError(
                    f"{what or wanted} did not come; said {self.said}, {self.statusline!r}, "
                    f"ghost {self.ghost}, mode {self.mode}, line {self.line!r}"
                )
            time.sleep(0.005)
        return value

    def wait_pressing(self, keys: str, wanted: Callable[[], T], what: str) -> T:
        """Press keys that ask for something, again where an engine without time gave nothing."""
        for _ in range(3):
            self.type(keys)
            with suppress(AssertionError):
                return self.wait(wanted, what, GIVEN_UP)
        return self.wait(wanted, what, 0)

    def ready(self) -> None:
        """Wait until the engine is."""
        self.wait(lambda: self.statusline == "midfill: ready", "a ready engine", 60)

    def suggestion(self, ask: str = "<Esc>a") -> Ghost:
        """Wait for grey text at the cursor, which is in Insert mode.

        Args:
            ask: keys that ask again, as an engine that has no time may give up with nothing.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(AssertionError):
                return self.wait(lambda: self.ghost, "a suggestion", ONE_ANSWER)
            if self.statusline == "midfill: ready":
                self.type(ask)
        return self.wait(lambda: self.ghost, "a suggestion", ONE_ANSWER)
