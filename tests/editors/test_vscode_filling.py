"""Selections and placeholders in VS Code itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vscode.drafts import covers, select_lines
from vscode.pictures import take_picture
from vscode.texts import RECTANGLE, SETTINGS

if TYPE_CHECKING:
    from vscode.fixtures import Edit
    from vscode.window import Window


pytestmark = pytest.mark.timeout(600)


def test_a_selection_is_filled_while_the_denoising_is_shown(window: Window, edit: Edit) -> None:
    edit("range.py", SETTINGS)
    select_lines(window, 8, 3)
    window.press("Alt+m")
    drafts = covering_drafts(window)
    assert any("░" in draft for draft in drafts)
    assert any("return" in draft for draft in drafts)
    window.until(lambda: not covers(window), "the draft is gone")
    window.press("Control+z")
    window.until(lambda: window.lines[: SETTINGS.count("\n")] == SETTINGS.splitlines(), "undone")


def test_escape_stops_filling(window: Window, edit: Edit) -> None:
    edit("stopped.py", SETTINGS)
    select_lines(window, 8, 3)
    window.press("Alt+m")
    window.until(lambda: covers(window), "a draft is shown")
    window.press("Escape")
    window.until(lambda: not covers(window), "the draft is gone")
    window.page.wait_for_timeout(300)
    assert window.lines[: SETTINGS.count("\n")] == SETTINGS.splitlines()


def test_all_placeholders_are_filled_and_undone_in_one_step(window: Window, edit: Edit) -> None:
    edit("placeholders.py", RECTANGLE)
    window.press("Alt+Shift+m")
    window.until(lambda: any(covers(window)), "a draft is shown")
    # One is covered at a time, so that both are missing only once both are filled.
    window.until(lambda: not {"...", "___"} & set("\n".join(window.lines).split()), "all is filled")
    assert "self.width * self.height" in "\n".join(window.lines)
    window.press("Control+z")
    window.until(lambda: window.lines[: RECTANGLE.count("\n")] == RECTANGLE.splitlines(), "undone")


def covering_drafts(window: Window) -> list[str]:
    """All drafts that are seen until the text is there."""
    seen: list[str] = []

    def filled() -> bool:
        draft = " ".join(covers(window))
        if draft and draft not in seen[-1:]:
            seen.append(draft)
            if "return" in draft:
                take_picture(window, "vscode-range.png")
        # What covers a line is not in its text.
        return any("return" in line for line in window.lines[7:9])

    window.until(filled, "it is filled")
    return seen
