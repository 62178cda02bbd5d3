"""Helix in a terminal: our entry in its completion list, with the lines of our page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import installed_by
from rectangle import FILLED, LINE, RECTANGLE, REST, TYPED
from terminal import Terminal, wait_for_text

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = Path(__file__).parents[2] / "editors" / "helix" / "languages.toml"

pytestmark = pytest.mark.usefixtures("warm_engine")


@pytest.fixture
def helix(tmp_path: Path) -> Iterator[Terminal]:
    """Helix with the lines of our page and the rectangle in view."""
    program = installed_by("get-helix", "helix", "bin/hx")
    configuration = tmp_path / ".config" / "helix"
    configuration.mkdir(parents=True)
    (configuration / "languages.toml").write_bytes(LINES.read_bytes())
    file = tmp_path / "rectangle.py"
    file.write_text(RECTANGLE)
    terminal = Terminal(tmp_path, [program, f"{file}:{LINE}"])
    terminal.wait_for_start("def perimeter")
    yield terminal
    terminal.close()


def test_the_entry_in_the_list_is_taken(helix: Terminal, tmp_path: Path) -> None:
    helix.press("A")
    helix.type_until(TYPED, lambda screen: f"{TYPED[-2:]}{REST}" in screen)
    helix.press("Tab")
    helix.wait_for(f"return {TYPED}{REST}")
    helix.press("Enter", "Escape")
    helix.type(":write")
    helix.press("Enter")
    wait_for_text(tmp_path / "rectangle.py", lambda text: text == FILLED)
