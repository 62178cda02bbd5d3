"""VS Code itself where there is no Midfill: it is installed, or it is said why it cannot be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from vscode.fixtures import MIDFILL, executable
from vscode.tiny_wheel import tiny_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vscode.code_server import CodeServer
    from vscode.fixtures import StandIn, Visit
    from vscode.window import Window

pytestmark = pytest.mark.timeout(600)

INSTALL = "Midfill: Install into an Environment of Its Own"
QUESTION = ".quick-input-widget:has-text('the folder of a checkout') input:visible"


@pytest.fixture(scope="module")
def bare(window_with: Callable[..., Any]) -> Iterator[Window]:
    """A window in which no Midfill is found."""
    with window_with(machine={"midfill.server.command": ""}) as window:
        message = window.until_message("Midfill is not installed")
        assert "Install Midfill" in message
        yield window


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_wheel(tmp_path_factory.mktemp("wheel"), MIDFILL)


@pytest.fixture
def install(bare: Window, code_server: CodeServer, wheel: Path) -> Callable[[Path | None], None]:
    """Begins an installation, with this as the only Python there is."""

    def install(python: Path | None) -> None:
        link = code_server.folder / "bin" / "python3"
        link.unlink(missing_ok=True)
        if python:
            link.symlink_to(python)
        bare.clear_messages()
        bare.until(lambda: not bare.messages, "there are no messages")
        bare.run(INSTALL)
        bare.page.fill(QUESTION, str(wheel))
        bare.press("Enter")

    return install


Install = "Callable[[Path | None], None]"


def python_that(tmp_path: Path, pip: str) -> Path:
    """A Python whose environments have a pip that does this."""
    inner = executable(tmp_path / "inner", pip)
    make = f'mkdir -p "$3/bin" && cp {inner} "$3/bin/python"'
    return executable(tmp_path / "python", f'[ "$1" = -I ] && echo python 3 12 || {{ {make}; }}')


def left_over(code_server: CodeServer) -> list[Path]:
    """What installations have left on the disk."""
    storage = code_server.own_environment.parent
    return list(storage.iterdir()) if storage.is_dir() else []


def test_without_a_python_it_says_what_is_needed(bare: Window, install: Install) -> None:
    install(None)
    message = bare.until_message("No Python was found")
    assert "Python 3.11 or newer" in message
    assert "Get Python" in message


def test_a_python_that_is_too_old_is_named(
    bare: Window, install: Install, tmp_path: Path, code_server: CodeServer
) -> None:
    install(executable(tmp_path / "python", "echo python 3 8"))
    message = bare.until_message("Python 3.11 or newer")
    assert f"{code_server.folder / 'bin' / 'python3'} is 3.8" in message
    assert "Open Settings" in message


def test_a_folder_that_cannot_be_written_to_is_named(
    bare: Window, install: Install, code_server: CodeServer
) -> None:
    # A file in its place keeps root out too.
    storage = code_server.own_environment.parent
    storage.parent.mkdir(exist_ok=True)
    if storage.is_dir():
        storage.rmdir()
    storage.write_text("")
    try:
        install(MIDFILL.with_name("python"))
        message = bare.until_message("cannot be installed into")
        assert str(storage) in message
        assert "midfill.server.command" in message
    finally:
        storage.unlink()


def test_where_pip_fails_it_says_what_can_be_installed(
    bare: Window, install: Install, tmp_path: Path, code_server: CodeServer, wheel: Path
) -> None:
    install(python_that(tmp_path, "echo ERROR: No matching distribution found for torch; exit 1"))
    message = bare.until_message("could not be installed")
    assert f"from {wheel}: No matching distribution found for torch." in message
    assert "midfill.server.package, name the folder of a Midfill checkout" in message
    bare.until(lambda: len(bare.messages) == 1, "nothing else is told")
    assert "could not be installed" in bare.status
    assert left_over(code_server) == []


def test_an_installation_that_is_cancelled_leaves_nothing(
    bare: Window, install: Install, tmp_path: Path, code_server: CodeServer
) -> None:
    started = tmp_path / "started"
    install(python_that(tmp_path, f"echo $$ > {started}; exec sleep 300"))
    bare.until(lambda: started.exists() and started.read_text(), "pip is running")
    assert left_over(code_server)
    bare.page.click(".notification-toast .monaco-button:has-text('Cancel')")
    message = bare.until_message("was cancelled")
    assert "Install Midfill" in message
    assert left_over(code_server) == []
    pip = int(started.read_text())
    bare.until(lambda: is_gone(pip), "pip is gone")


def is_gone(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_it_is_installed_kept_in_mind_and_made_anew_once_it_is_broken(
    bare: Window, install: Install, code_server: CodeServer, wheel: Path
) -> None:
    install(MIDFILL.with_name("python"))
    bare.until_message("Installing Midfill")
    bare.until_ready()
    program = code_server.own_environment / "bin" / "midfill"
    assert program.is_file()
    settings = json.loads((code_server.data / "Machine" / "settings.json").read_text())
    assert settings["midfill.server.package"] == str(wheel)
    bare.clear_messages()
    program.unlink()
    bare.run("Midfill: Restart")
    message = bare.until_message("is broken")
    assert str(program) in message
    bare.page.click(".notification-toast .monaco-button:has-text('Install Anew')")
    bare.until_message("Installing Midfill")  # and asks for nothing
    bare.until_ready()
    assert program.is_file()


def test_an_environment_of_the_user_that_is_broken_is_said_to_be_broken(
    visit: Visit, stand_in: StandIn
) -> None:
    broken = stand_in("echo ModuleNotFoundError: no torch here >&2; exit 1")
    window = visit(machine={"midfill.server.command": broken})
    message = window.until_message("environment is broken")
    assert "no torch here" in message
    assert "Open Settings" in message
    assert len([one for one in window.messages if "Midfill" in one]) == 1
