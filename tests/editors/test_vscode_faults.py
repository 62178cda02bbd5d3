"""Engine and server going away under VS Code itself."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from vscode.fixtures import MIDFILL
from vscode.texts import CIRCLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vscode.code_server import CodeServer
    from vscode.fixtures import Edit, StandIn, Visit
    from vscode.window import Window

pytestmark = pytest.mark.timeout(600)


def test_the_engine_may_be_killed(
    window: Window,
    edit: Edit,
    end_engine: Callable[[], None],
    measured: Callable[[str, float], None],
) -> None:
    edit("killed.py", CIRCLE)
    window.type("        return ")
    window.until_ghost()
    end_engine()
    window.press("Enter")
    window.until(lambda: "ready" not in window.status, "it is missed")
    window.until_ready()
    assert window.messages == []
    window.press("Control+z")
    window.press("Control+End")
    end_engine()
    measured("VS Code, start of server and engine to first grey text", until_restarted(window))
    measured("VS Code, start of server to first grey text", until_restarted(window))


def until_restarted(window: Window) -> float:
    """Restart, and have grey text; the milliseconds that this takes."""
    began = time.monotonic()
    window.run("Midfill: Restart")
    window.until(lambda: "ready" not in window.status, "it starts")
    window.until_ready()
    ask_again(window)
    window.until_ghost()
    return 1000 * (time.monotonic() - began)


def ask_again(window: Window) -> None:
    """Type the blank before the cursor anew."""
    window.press("Backspace")
    window.type(" ")


def test_a_server_that_crashes_is_started_again_until_it_has_crashed_too_often(
    window: Window, edit: Edit, code_server: CodeServer
) -> None:
    edit("crashes.py", CIRCLE)
    window.type("        return ")
    window.until_ghost("math.pi")
    for _ in range(3):
        crash(code_server)
        window.until(lambda: "ready" not in window.status, "it is missed")
        window.until_ready()
        ask_again(window)
        window.until_ghost("math.pi")
        assert window.messages == []
    crash(code_server)
    message = window.until_message("has ended 4 times")
    assert "SIGKILL" in message
    assert "Restart" in message
    assert "is not started again" in window.status
    assert "Show Log" in message
    window.page.click(".notification-toast .monaco-button:has-text('Restart')")
    window.until_ready()
    window.page.click(".editor-group-container.active .view-lines")
    window.press("Control+End")
    ask_again(window)
    window.until_ghost("math.pi")


def crash(code_server: CodeServer) -> None:
    """End all language servers as the kernel does when memory runs out."""
    import psutil

    servers = code_server.language_servers()
    assert servers
    for server in servers:
        with suppress(psutil.NoSuchProcess):
            server.kill()


def test_a_server_that_keeps_crashing_is_given_up_until_the_user_wants_it_again(
    visit: Visit, stand_in: StandIn
) -> None:
    crashing = stand_in('[ "$1" = --version ] && echo midfill 0.1.0 && exit; exit 3')
    window = visit(machine={"midfill.server.command": crashing})
    message = window.until_message("has ended 4 times")
    assert "exit status 3" in message
    assert "Restart" in message
    assert "Show Log" in message
    assert "is not started again" in window.status
    stand_in(f'exec {MIDFILL} "$@"')
    window.page.click(".notification-toast .monaco-button:has-text('Restart')")
    window.until_ready()


@pytest.fixture
def new_machine(tmp_path: Path, stand_in: StandIn) -> Iterator[str]:
    """A Midfill that has no model, an engine of its own, and no network to fetch one from."""
    import psutil

    run = tmp_path / "run"
    yield stand_in(
        f"export MIDFILL_CACHE_DIR={tmp_path / 'cache'} MIDFILL_RUNTIME_DIR={run}\n"
        "export HF_HUB_OFFLINE=1 PIP_INDEX_URL=http://127.0.0.1:9/simple PIP_RETRIES=0\n"
        f'exec {MIDFILL} "$@"'
    )
    stand_in("exit 1")  # or the server of a window that has just been closed would start again
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("MIDFILL_RUNTIME_DIR") == str(run):
                process.kill()


def test_a_first_start_without_network_says_which_model_is_missing_and_how_to_get_it(
    visit: Visit, new_machine: str
) -> None:
    window = visit(machine={"midfill.server.command": new_machine})
    message = window.until_message("cannot be fetched")
    assert "the embedded model" in message
    assert "491 MB" in message
    assert "`midfill model pull embedded`" in message
    assert "Fetch the Model" in message
    assert "cannot be fetched" in window.status
    assert len([one for one in window.messages if "Midfill" in one]) == 1
