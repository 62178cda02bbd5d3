"""Kakoune in a terminal, with the lines of our page that need no language client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import from_debian
from rectangle import FILLED, LINE, RECTANGLE, REST, TYPED
from terminal import Terminal, wait_for_text

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "editors" / "kakoune"

pytestmark = pytest.mark.usefixtures("warm_engine")


class Kakoune(Terminal):
    """Kakoune with the lines of our page and a file in view, in insert mode behind a line."""

    def __init__(self, folder: Path, text: str = RECTANGLE, *, before: str = "") -> None:
        """
        Args:
            before: commands to run first.
        """
        program = from_debian("kak", "kakoune")
        self.file = folder / "rectangle.py"
        self.file.write_text(text)
        lines = (PAGE / "kakrc-midfill").read_text()
        lines = lines.replace("~/midfill/editors/kakoune", str(PAGE)) + before
        super().__init__(folder, [program, "-n", "-e", lines, f"+{LINE}", self.file])
        self.wait_for_start("def perimeter")
        self.press("A")


@pytest.fixture
def kakoune(tmp_path: Path) -> Iterator[Kakoune]:
    editor = Kakoune(tmp_path)
    yield editor
    editor.close()


def test_a_suggestion_is_asked_for_and_taken(kakoune: Kakoune) -> None:
    kakoune.type(TYPED)
    kakoune.press("M-m")
    kakoune.wait_for(f" {TYPED[-2:]}{REST}")
    kakoune.press("C-n", "Escape")
    kakoune.type(":write")
    kakoune.press("Enter")
    wait_for_text(kakoune.file, lambda text: text == FILLED)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    kakoune = Kakoune(tmp_path, before="\nset-option global midfill_program no-such-midfill")
    try:
        kakoune.press("M-m")
        kakoune.wait_for("no-such-midfill: not found")
    finally:
        kakoune.close()
