"""Commands, menu and status bar of VS Code itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vscode.texts import CIRCLE

if TYPE_CHECKING:
    from vscode.fixtures import Edit
    from vscode.window import Window


pytestmark = pytest.mark.timeout(600)


def test_it_says_why_there_is_nothing(window: Window, edit: Edit) -> None:
    edit("why.py", "value = 1\n")
    window.press("Control+Home", "ArrowRight", "ArrowRight")
    window.type("x")
    message = ""
    for _ in range(5):  # the palette may be open before the editor has asked for anything
        window.page.wait_for_timeout(200)
        window.run("Midfill: Why Is There No Suggestion?")
        message = window.until_message("")
        if "inside a word" in message:
            break
        window.clear_messages()
    assert "inside a word" in message


def test_pages_show_what_the_model_was_given_and_the_statistics(window: Window, edit: Edit) -> None:
    edit("prompt.py", CIRCLE)
    window.type("        return ")
    window.until_ghost()
    window.run("Midfill: Show What the Model Was Given")
    window.page.wait_for_selector(".tab:has-text('prompt.md')")
    window.run("Midfill: Show Statistics")
    window.page.wait_for_selector(".tab:has-text('statistics.txt')")
    window.until(
        lambda: (
            "Tab" not in window.tab
            and window.page.query_selector(
                ".editor-group-container:nth-of-type(n) .view-line:has-text('suggestion')"
            )
        ),
        "the statistics are shown",
    )


def test_suggestions_can_be_paused_and_resumed(window: Window, edit: Edit) -> None:
    edit("paused.py", CIRCLE)
    window.run("Midfill: Pause Suggestions")
    window.page.wait_for_selector(".quick-input-widget .monaco-list-row:has-text('15 minutes')")
    window.press("Enter")
    window.until(lambda: "paused" in window.status, "it is paused")
    window.type("        return ")
    window.page.wait_for_timeout(800)
    assert not window.ghost
    window.run("Midfill: Resume Suggestions")
    window.until(lambda: "ready" in window.status, "it is ready")
    window.press("Control+z")
    window.press("Control+End")
    window.type("        return ")
    window.until_ghost()


def test_it_is_switched_off_and_on_at_once(window: Window, edit: Edit) -> None:
    edit("off.py", CIRCLE)
    window.run("Midfill: Switch Off")
    window.until(lambda: "switched off" in window.status, "it is off")
    window.type("        return ")
    window.page.wait_for_timeout(800)
    assert not window.ghost
    window.run("Midfill: Switch On")
    window.until_ready()
    window.press("Backspace")
    window.type(" ")
    window.until_ghost()


def test_the_menu_and_the_models_are_offered(window: Window, edit: Edit) -> None:
    edit("menu.py", CIRCLE)
    window.page.click(".statusbar-item[id$='midfill.status'] a")
    window.page.wait_for_selector(".quick-input-widget .monaco-list-row:has-text('Pick a model')")
    window.press("Escape")
    window.run("Midfill: Pick a Model")
    window.page.wait_for_selector(".quick-input-widget .monaco-list-row:has-text('embedded')")
    window.press("Escape")
    window.run("Midfill: Show Log")
    window.page.wait_for_selector(".output-view-container, .panel .monaco-editor")
    window.press("Control+j")
