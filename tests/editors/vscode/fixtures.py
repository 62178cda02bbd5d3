"""One code-server and one browser for all tests of VS Code, and windows in it.

Most tests share a window, each with a file of its own. Those that need other settings have a window
of their own and run behind them, as an open window may take notice of what it finds changed.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from installed import from_debian, installed_by
from vscode.code_server import CodeServer
from vscode.packing import packed_extension
from vscode.texts import CIRCLE
from vscode.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

MIDFILL = Path(sys.executable).with_name("midfill")

Edit = "Callable[[str, str], Path]"
Visit = "Callable[..., Window]"
StandIn = "Callable[[str], str]"


def in_order(item: pytest.Item) -> int:
    """Where a test belongs: a browser is driven by a loop that no other loop may run beside."""
    if not item.path.name.startswith("test_vscode"):
        return 0
    return 2 if "window_with" in getattr(item, "fixturenames", ()) else 1


@pytest.fixture(scope="session")
def code_server(own_engine: Path) -> Iterator[CodeServer]:
    program = installed_by("get-code-server", "code-server", "bin/code-server")
    with tempfile.TemporaryDirectory(prefix="midfill-", ignore_cleanup_errors=True) as folder:
        server = CodeServer(program, Path(folder), packed_extension(), MIDFILL)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def browser(code_server: CodeServer) -> Iterator[Browser]:
    chromium = from_debian("chromium", "chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def project(code_server: CodeServer) -> Path:
    project = code_server.folder / "project"
    project.mkdir()
    (project / "circle.py").write_text(CIRCLE)
    return project


@pytest.fixture(scope="session")
def new_window(code_server: CodeServer, browser: Browser) -> Callable[[Path], Window]:
    """Opens a folder's `circle.py` in a window of its own, which the caller closes."""

    def new_window(folder: Path) -> Window:
        page = browser.new_page(viewport={"width": 900, "height": 600})
        window = Window(page, code_server.origin, folder)
        window.go(folder / "circle.py")
        return window

    return new_window


@pytest.fixture(scope="session")
def window(new_window: Callable[[Path], Window], project: Path) -> Window:
    """The shared one, in which Midfill is ready."""
    window = new_window(project)
    window.until_ready()
    return window


@pytest.fixture
def edit(window: Window, project: Path) -> Iterator[Callable[[str, str], Path]]:
    """Opens a new file with a text in the shared window; the cursor is at its end."""
    opened: list[Path] = []

    def edit(name: str, text: str) -> Path:
        file = project / name
        file.write_bytes(text.encode())
        window.open(file)
        opened.append(file)
        window.press("Control+End")
        return file

    yield edit
    for file in opened:
        if window.tab == file.name:
            window.close_editor()
        window.until(lambda file=file: window.tab != file.name, "the editor is closed")
    window.clear_messages()


@pytest.fixture(scope="session")
def window_with(
    code_server: CodeServer, new_window: Callable[[Path], Window], project: Path
) -> Callable[..., Any]:
    """A window for as long as a `with` lasts, with other settings of the user and the machine."""

    @contextmanager
    def window_with(
        user: dict[str, Any] | None = None, machine: dict[str, Any] | None = None
    ) -> Iterator[Window]:
        code_server.write_settings(user, machine)
        window = new_window(project)
        try:
            yield window
        finally:
            window.page.close()
            code_server.write_settings()

    return window_with


@pytest.fixture
def visit(window_with: Callable[..., Any]) -> Iterator[Callable[..., Window]]:
    """Opens a window with other settings, until the test has ended."""
    with ExitStack() as windows:
        yield lambda **settings: windows.enter_context(window_with(**settings))


@pytest.fixture
def stand_in(code_server: CodeServer) -> Callable[[str], str]:
    """Makes, or changes, a program that stands in for Midfill."""

    def stand_in(script: str) -> str:
        return str(executable(code_server.folder / "midfill-stand-in", script))

    return stand_in


def executable(file: Path, script: str) -> Path:
    """A shell script that can be run."""
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file
