"""Selections that are filled, and the drafts that cover them meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vscode.window import Window

COVERS = """() => [...document.querySelectorAll('.monaco-editor.focused .view-line span')]
  .flatMap(one => ['::before', '::after'].map(part => getComputedStyle(one, part).content))
  .filter(text => text.startsWith('"') && text.length > 2)
  .map(text => text.slice(1, -1).replaceAll('\\u00a0', ' '))"""


def covers(window: Window) -> list[str]:
    """The texts that cover what is being filled."""
    texts: list[str] = window.page.evaluate(COVERS)
    return texts


def select_lines(window: Window, first: int, count: int) -> None:
    """Select lines without their indentation and last line break."""
    window.press("Control+g")
    window.page.locator(".quick-input-widget input:visible").first.fill(f":{first}")
    window.press("Enter", "Home", *["Shift+ArrowDown"] * (count - 1), "Shift+End")
    window.until(lambda: window.page.query_selector(".selected-text"), "something is selected")
