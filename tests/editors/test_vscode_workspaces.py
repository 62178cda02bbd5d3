"""Workspaces of all kinds in VS Code itself."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from vscode.fixtures import MIDFILL
from vscode.texts import CIRCLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vscode.fixtures import Edit, Visit
    from vscode.window import Window

pytestmark = pytest.mark.timeout(600)


def test_two_windows_may_show_one_folder(
    window: Window, edit: Edit, new_window: Callable[[Path], Window], project: Path
) -> None:
    edit("first.py", CIRCLE)
    other = new_window(project)
    try:
        is_served(other)
        window.type("        return ")
        window.until_ghost("math.pi")
    finally:
        other.page.close()


def is_served(window: Window) -> None:
    """Grey text comes at the end of the file that is open."""
    window.until_ready()
    window.page.click(".monaco-editor .view-lines")
    window.press("Control+End")
    window.type("        return ")
    window.until_ghost("math.pi")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk that cannot be written to."""
    place = tmp_path / "read-only"
    place.mkdir()
    (place / "circle.py").write_text(CIRCLE)
    if os.geteuid() != 0:
        place.chmod(0o555)
        (place / "circle.py").chmod(0o444)
        yield place
        place.chmod(0o755)
        return
    mounts = (["--bind", place, place], ["-o", "remount,ro,bind", place])
    done = [subprocess.run(["mount", *map(str, options)], check=False) for options in mounts]
    try:
        if any(one.returncode for one in done):
            pytest.skip("nothing can be mounted read-only here")
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=False)


def test_a_workspace_may_be_read_only(
    read_only: Path, new_window: Callable[[Path], Window]
) -> None:
    with pytest.raises(OSError, match=r"Read-only|denied"):
        (read_only / "new").write_text("")
    window = new_window(read_only)
    try:
        is_served(window)
        assert [message for message in window.messages if "Midfill" in message] == []
    finally:
        window.page.close()


def test_it_is_off_in_a_workspace_until_that_is_trusted(visit: Visit) -> None:
    window = visit(
        user={
            "security.workspace.trust.enabled": True,
            "security.workspace.trust.startupPrompt": "never",
            "security.workspace.trust.banner": "never",
        },
        machine={"midfill.server.command": str(MIDFILL)},
    )
    window.until(lambda: "until you trust" in window.status, "it is off", 60)
    window.page.click(".statusbar-item[id$='midfill.status'] a")
    window.page.wait_for_selector(".quick-input-widget .monaco-list-row:has-text('Manage')")
    window.press("Enter")
    trust = window.page.locator(".workspace-trust-editor .monaco-button:has-text('Trust')").first
    trust.click()
    window.until_ready()
