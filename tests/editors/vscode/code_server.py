"""A code-server with the packed extension, and nothing of the user's."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psutil

STARTING_SECONDS = 60

QUIET: dict[str, Any] = {
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.colorTheme": "Default Dark Modern",
    "editor.wordBasedSuggestions": "currentDocument",
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.inlineSuggest.enabled": True,
    "editor.minimap.enabled": False,
    "editor.occurrencesHighlight": "off",
    "editor.fontFamily": "DejaVu Sans Mono, monospace",
    "editor.cursorBlinking": "solid",
    "files.eol": "auto",
    "git.enabled": False,
    "extensions.ignoreRecommendations": True,
    "chat.commandCenter.enabled": False,
    "window.commandCenter": False,
    "midfill.minimumConfidence": 0,
}

KEYS = {
    "ctrl+alt+shift+f1": "workbench.action.revertAndCloseActiveEditor",
    "ctrl+alt+shift+f2": "notifications.clearAll",
}
"""Keys for what tests do often."""


class CodeServer:
    """One process; its data are in a folder of its own."""

    def __init__(self, program: Path, folder: Path, extension: Path, midfill: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.extensions = folder / "extensions"
        self._program = program
        self._midfill = midfill
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.settings = dict(QUIET)
        self.machine: dict[str, Any] = {"midfill.server.command": str(midfill)}
        for where in ("User", "Machine"):
            (self.data / where).mkdir(parents=True)
        keys = [{"key": key, "command": command} for key, command in KEYS.items()]
        (self.data / "User" / "keybindings.json").write_text(json.dumps(keys))
        self.write_settings()
        install = ["--install-extension", str(extension)]
        subprocess.run(
            [program, *self._folders(), *install],
            env=self._environment(),
            check=True,
            capture_output=True,
            timeout=120,
        )

    def write_settings(
        self, user: Mapping[str, Any] | None = None, machine: Mapping[str, Any] | None = None
    ) -> None:
        """The settings that all windows share, with changes."""
        for where, settings in (
            ("User", {**self.settings, **(user or {})}),
            ("Machine", {**self.machine, **(machine or {})}),
        ):
            (self.data / where / "settings.json").write_text(json.dumps(settings, indent=1))

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [
            self._program,
            *self._folders(),
            "--auth",
            "none",
            "--bind-addr",
            f"127.0.0.1:{self.port}",
            "--disable-telemetry",
            "--disable-update-check",
            "--disable-getting-started-override",
        ]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"{self.origin}/healthz") as answer:
                if answer.status == 200:
                    return
            time.sleep(0.1)
        raise TimeoutError((self.folder / "log").read_text()[-1000:])

    def stop(self) -> None:
        """End it and what it has started."""
        if self._process is None:
            return
        import psutil

        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(self._process.pid).children(recursive=True)
            self._process.send_signal(signal.SIGTERM)
            _, left = psutil.wait_procs(family, timeout=10)
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def own_environment(self) -> Path:
        """Where the extension installs what it needs."""
        return self.data / "User" / "globalStorage" / "midfill.midfill" / "environment"

    def language_servers(self) -> list[psutil.Process]:
        """Those of all windows."""
        import psutil

        assert self._process
        found = []
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.cmdline()[-1:] == ["lsp"]:
                    found.append(process)
        return found

    def _folders(self) -> list[str]:
        return ["--user-data-dir", str(self.data), "--extensions-dir", str(self.extensions)]

    def _environment(self) -> dict[str, str]:
        """With a PATH on which there is neither Midfill nor a Python."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        kept = os.environ.get("MIDFILL_CACHE_DIR") or str(caches / "midfill")
        return {
            **os.environ,
            "HOME": str(home),
            "PATH": str(path_without_python(self.folder / "bin")),
            "MIDFILL_CACHE_DIR": kept,
            "VSCODE_CLI": "1",  # or it would ask a login shell for another PATH
        }


def path_without_python(folder: Path) -> Path:
    """A folder with links to the system's programs, but for every Python."""
    if not folder.exists():
        folder.mkdir(parents=True)
        node = shutil.which("node")
        for name in ["/usr/bin", "/bin", *([str(Path(node).parent)] if node else [])]:
            for program in Path(name).iterdir():
                link = folder / program.name
                if not program.name.startswith(("python", "pip", "midfill")) and not link.exists():
                    link.symlink_to(program)
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
