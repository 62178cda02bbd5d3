"""What is grey on white: VS Code itself in a light theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vscode.drafts import select_lines
from vscode.texts import SETTINGS
from vscode.window import SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from vscode.fixtures import Visit
    from vscode.window import Window

pytestmark = pytest.mark.timeout(600)

LEAST_BACKGROUND = 0.8
"""The luminance of a light theme's page."""

LEAST_CONTRAST = 2.5
"""Between text that is to stand back, and what is behind it; full legibility of text is 4.5."""

COLOURS = """() => {
  const brush = document.createElement('canvas').getContext('2d');
  const painted = (...colours) => {
    for (const colour of colours) {
      brush.fillStyle = colour;
      brush.fillRect(0, 0, 1, 1);
    }
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const editor = document.querySelector('.monaco-editor.focused');
  const page = getComputedStyle(editor.querySelector('.monaco-editor-background')).backgroundColor;
  const area = getComputedStyle(editor)
    .getPropertyValue('--vscode-editor-inactiveSelectionBackground');
  const luminance = ([r, g, b]) => [r, g, b].map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const contrast = (colour, ...behind) => {
    const both = [painted(...behind, colour), painted(...behind)].map(luminance);
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  };
  const spans = [...editor.querySelectorAll('.view-line span')];
  const parts = spans
    .flatMap(one => ['::before', '::after'].map(part => getComputedStyle(one, part)))
    .filter(one => one.content.startsWith('"') && one.content.length > 2);
  const grey = spans.filter(one => one.className.includes('ghost-text') && one.textContent.trim());
  return {
    background: luminance(painted(page)),
    grey: grey.map(one => contrast(getComputedStyle(one).color, page)),
    drafts: parts.map(one => contrast(one.color, page, area.trim())),
    words: parts.some(one => /[a-z]/.test(one.content)),
  };
}"""
"""The background's luminance, how grey text and drafts contrast with it (WCAG 2), and whether there
are words in the drafts."""


def test_grey_text_and_drafts_are_legible_in_a_light_theme(visit: Visit, project: Path) -> None:
    file = project / "light.py"
    file.write_text(SETTINGS.replace("settings", "preferences"))  # nobody has had this filled yet
    window = visit(user={"workbench.colorTheme": "Default Light Modern"})
    window.until_ready()
    window.page.click(".monaco-editor .view-lines")
    window.press("Control+End")
    window.type("        return ")
    window.until_ghost("math.pi")
    assert legible(window, "grey")
    window.open(file)
    select_lines(window, 8, 3)
    window.press("Alt+m")
    # In the page itself, at every frame: a draft may last for less than it takes to ask for it.
    drawn = f"() => {{ const seen = ({COLOURS})(); return seen.words && seen; }}"
    seen = window.page.wait_for_function(drawn, polling="raf", timeout=1e3 * SECONDS).json_value()
    assert min(seen["drafts"]) > LEAST_CONTRAST
    window.press("Escape")


def legible(window: Window, what: str) -> bool:
    """Whether there is some of it, and all of that can be read."""
    colours = window.page.evaluate(COLOURS)
    assert colours["background"] > LEAST_BACKGROUND
    return min(colours[what], default=0) > LEAST_CONTRAST
