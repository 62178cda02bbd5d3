"""One window of VS Code in a browser: what a user does there, and what they see."""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

SECONDS = 60.0
"""So long a test waits for something to be seen."""

STARTING_SECONDS = 180.0

FAILURE = Path(tempfile.gettempdir(), "midfill-vscode-failure.png")
"""What the window looked like when the last test failed."""

READ = """() => {
  const editor = document.querySelector('.monaco-editor.focused') ??
    document.querySelector('.editor-group-container.active .monaco-editor');
  if (!editor) return {lines: [], ghost: ''};
  const clean = text => text.replaceAll('\\u00a0', ' ').replaceAll('\\u200b', '');
  const lines = [];
  for (const line of editor.querySelectorAll('.view-line')) {
    let own = '', grey = '';
    const walk = (node, isGrey) => {
      if (node.nodeType === 3 && isGrey) { grey += node.textContent; return; }
      if (node.nodeType === 3) { own += node.textContent; return; }
      if (getComputedStyle(node).display === 'none') return;
      const name = typeof node.className === 'string' ? node.className : '';
      for (const child of node.childNodes) walk(child, isGrey || name.includes('ghost-text'));
    };
    walk(line, line.closest('.view-zones, .suggest-preview-additional-widget') !== null);
    lines.push({top: line.getBoundingClientRect().top, own: clean(own), grey: clean(grey),
      real: line.closest('.view-lines') !== null});
  }
  lines.sort((one, other) => one.top - other.top);
  return {
    lines: lines.filter(line => line.real).map(line => line.own),
    ghost: lines.map(line => line.grey).filter(grey => grey).join('\\n'),
  };
}"""
"""The visible lines without grey text, and the grey text."""


class Window:
    """A page that shows one folder."""

    def __init__(self, page: Page, origin: str, folder: Path) -> None:
        self.page = page
        self.origin = origin
        self.folder = folder
        page.set_default_timeout(1000 * SECONDS)
        page.set_default_navigation_timeout(1000 * STARTING_SECONDS)

    # what a user does

    def go(self, file: Path | None = None) -> None:
        """Open the folder, and a file in it."""
        address = f"{self.origin}/?folder={quote(str(self.folder))}"
        if file:
            host = self.origin.removeprefix("http://")
            payload = json.dumps([["openFile", f"vscode-remote://{host}{file}"]])
            address += f"&payload={quote(payload)}"
        self.page.goto(address, wait_until="commit")
        self.page.wait_for_selector(".monaco-workbench", timeout=1000 * STARTING_SECONDS)
        if file:
            self.page.wait_for_selector(
                ".monaco-editor .view-lines", timeout=1000 * STARTING_SECONDS
            )

    def open(self, file: Path, line: int | None = None) -> None:
        """Open a file by its path, and put the cursor into a line (from 1)."""
        for _ in range(3):
            self.press("Control+p")
            field = self.page.locator(".quick-input-widget input:visible").first
            field.fill(f"{file}:{line}" if line else str(file))
            focused = ".quick-input-widget .monaco-list-row.focused"
            self.page.wait_for_selector(f"{focused}:has-text('{file.name}')")
            self.press("Enter")
            with suppress(AssertionError):
                self.until(lambda: self.tab == file.name, f"{file.name} is open", seconds=5)
                break
            self.press("Escape")
        self.page.wait_for_selector(".editor-group-container.active .monaco-editor.focused")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str, delay: float = 0) -> None:
        self.page.keyboard.type(text, delay=delay)

    def run(self, title: str) -> None:
        """Run a command of ours from the palette."""
        self.press("F1")
        field = self.page.locator(".quick-input-widget input:visible").first
        field.wait_for()
        field.fill(f">{title}")
        focused = ".quick-input-widget .monaco-list-row.focused"
        self.page.wait_for_selector(f"{focused}:has-text('{title}')")
        self.press("Enter")

    def save(self) -> None:
        self.press("Control+s")
        self.until(lambda: not self.page.query_selector(".tab.active.dirty"), "the file is saved")

    def close_editor(self) -> None:
        """Close it, whatever has been changed."""
        self.press("Control+Alt+Shift+F1")

    def clear_messages(self) -> None:
        self.press("Control+Alt+Shift+F2")

    # what a user sees

    @property
    def tab(self) -> str:
        label = self.page.query_selector(".editor-group-container.active .tab.active .label-name")
        return label.inner_text() if label else ""

    @property
    def seen(self) -> dict[str, Any]:
        read: dict[str, Any] = self.page.evaluate(READ)
        return read

    @property
    def lines(self) -> list[str]:
        """The visible lines of the document."""
        lines: list[str] = self.seen["lines"]
        return lines

    @property
    def ghost(self) -> str:
        """The grey text."""
        ghost: str = self.seen["ghost"]
        return ghost

    @property
    def status(self) -> str:
        item = self.page.query_selector(".statusbar-item[id$='midfill.status'] a")
        return (item.get_attribute("aria-label") or "") if item else ""

    @property
    def messages(self) -> list[str]:
        return [toast.inner_text() for toast in self.page.query_selector_all(".notification-toast")]

    # waiting

    def until(self, true: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        """Wait for something.

        Raises:
            AssertionError: it does not become true.
        """
        give_up = time.monotonic() + seconds
        while not true():
            if time.monotonic() > give_up:
                self.page.screenshot(path=FAILURE)
                raise AssertionError(
                    f"waited in vain: {what}; status {self.status!r}, messages {self.messages}, "
                    f"grey {self.ghost!r}, lines {self.lines[:40]}; a picture is in {FAILURE}"
                )
            self.page.wait_for_timeout(20)

    def until_ready(self) -> None:
        def ready() -> bool:
            failures = [message for message in self.messages if "engine has failed" in message]
            assert not failures, failures
            return "ready" in self.status

        self.until(ready, "Midfill is ready", STARTING_SECONDS)

    def until_ghost(self, part: str = "") -> str:
        """The grey text, once there is some with this part."""
        self.until(lambda: (seen := self.ghost) and part in seen, f"grey text with {part!r}")
        return self.ghost

    def until_message(self, part: str) -> str:
        """A notification with this part."""
        self.until(lambda: any(part in one for one in self.messages), f"a message: {part}")
        return next(one for one in self.messages if part in one)
