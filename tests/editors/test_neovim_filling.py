"""Ranges and placeholders filled in place, seen from real Neovims."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from neovim import Neovim

AREA = '''\
import math


def circle_area(radius: float) -> float:
    """The area of a circle."""
    pass  # nobody knows


def circle_circumference(radius: float) -> float:
    """The circumference of a circle."""
    return 2 * math.pi * radius
'''

HOLES = '''\
class Rectangle:
    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        """The product of the two sides."""
        ...

    def perimeter(self) -> float:
        return ___
'''


@pytest.fixture
def note(request: pytest.FixtureRequest) -> str:
    """A first line that no other test's file has: the engine fills what it knows in one step."""
    return f"# {request.node.name}\n"


@pytest.fixture
def area(neovim: Neovim, tmp_path: Path, note: str) -> Neovim:
    neovim.show(tmp_path / "area.py", note + AREA)
    return neovim


@pytest.fixture
def rectangle(neovim: Neovim, tmp_path: Path, note: str) -> Neovim:
    neovim.show(tmp_path / "rectangle.py", note + HOLES)
    return neovim


def row_of(neovim: Neovim, text: str) -> int:
    """The first row with a text in it."""
    return next(row for row, line in enumerate(neovim.lines) if text in line)


def drafts_until(neovim: Neovim, text: str) -> list[list[Any]]:
    """What was drawn, change by change, until the text was another."""
    seen: list[list[Any]] = []

    def changed() -> bool:
        marks = neovim.draft
        if marks and (not seen or seen[-1] != marks):
            seen.append(marks)
        return neovim.text != text

    neovim.wait(changed, "the fill")
    return seen


def drawn(marks: list[Any]) -> str:
    """The draft's text on the screen: pieces over and behind each line, then lines below."""
    rows: dict[int, str] = {}
    below: list[str] = []
    for _, row, _, details in marks:
        text = "".join(piece for piece, *_ in details.get("virt_text", []))
        rows[row] = rows.get(row, "") + text
        below += ["".join(piece for piece, *_ in line) for line in details.get("virt_lines", [])]
    return "\n".join([*rows.values(), *below])


def test_a_selection_is_filled_with_the_draft_in_view(area: Neovim) -> None:
    before, row = area.text, row_of(area, "pass")
    area.type(f"{row + 1}G^v$h")
    area.wait(lambda: area.mode == "v")
    area.command("normal! \x1b")
    area.command("'<,'>Midfill fill")
    seen = drafts_until(area, before)
    assert len(seen) > 1
    assert {mark_row for marks in seen for _, mark_row, *_ in marks} == {row}
    assert any("radius" in drawn(marks) for marks in seen), [drawn(marks) for marks in seen]
    assert any("░" in drawn(marks) for marks in seen), [drawn(marks) for marks in seen]
    assert area.draft == []
    assert "nobody knows" not in area.text
    compile(area.text, "area.py", "exec")
    assert "radius" in area.lines[row]
    area.type("u")
    area.wait(lambda: area.text == before, "one step of undo")


@pytest.mark.parametrize("keys", ["gm", ":Midfill fill<CR>"], ids=["mapping", "command"])
def test_what_is_selected_is_filled_and_no_more(area: Neovim, keys: str) -> None:
    row = row_of(area, "2 * math")
    area.nvim.api.buf_set_lines(0, row, row + 1, True, ["    return 12345"])
    before = area.lines
    area.command("xmap gm <Plug>(midfill-fill)")
    area.type(f"{row + 1}G0f1v$h{keys}")
    area.wait(lambda: area.lines != before, "the fill")
    area.command("xunmap gm")
    assert area.mode == "n"
    assert area.lines[row].startswith("    return ")
    assert area.lines[:row] == before[:row]


def test_selected_lines_keep_their_indentation(area: Neovim) -> None:
    before, row = area.text, row_of(area, "pass")
    area.command(f"{row + 1}Midfill fill")
    area.wait(lambda: area.text != before, "the fill")
    assert area.lines[row].startswith("    ")
    compile(area.text, "area.py", "exec")


def test_all_placeholders_are_filled_and_undone_at_once(rectangle: Neovim) -> None:
    before, holes = rectangle.text, {row_of(rectangle, "..."), row_of(rectangle, "___")}
    rectangle.command("Midfill holes")
    seen = drafts_until(rectangle, before)
    assert holes <= {mark_row for marks in seen for _, mark_row, *_ in marks}
    assert "___" not in rectangle.text
    assert "..." not in rectangle.text
    compile(rectangle.text, "rectangle.py", "exec")
    rectangle.type("u")
    rectangle.wait(lambda: rectangle.text == before, "one step of undo")


def test_a_fill_can_be_cancelled(rectangle: Neovim) -> None:
    before = rectangle.text
    rectangle.command("Midfill holes")
    rectangle.wait(lambda: rectangle.draft, "a draft")
    rectangle.type("<C-c>")
    rectangle.wait(lambda: any("cancelled" in text for text in rectangle.said))
    end = time.monotonic() + 0.5
    while time.monotonic() < end:  # nothing is to come any more
        assert rectangle.text == before
        assert rectangle.draft == []
        time.sleep(0.02)
    assert rectangle.lua("return vim.fn.maparg('<C-c>', 'n')") == ""


def test_text_that_comes_above_moves_draft_and_fill_along(rectangle: Neovim) -> None:
    before, above = rectangle.text, ["import math", "", ""]
    rectangle.command("Midfill holes")
    rectangle.wait(lambda: rectangle.draft, "a draft")
    rectangle.nvim.api.buf_set_lines(0, 0, 0, True, above)
    first = row_of(rectangle, "...")
    seen = drafts_until(rectangle, "\n".join([*above, before]))
    assert all(mark_row >= first for marks in seen for _, mark_row, *_ in marks)
    assert "___" not in rectangle.text
    assert rectangle.lines[:3] == above
    compile(rectangle.text, "rectangle.py", "exec")


def test_a_crlf_file_is_filled_with_its_own_line_breaks(neovim: Neovim, tmp_path: Path) -> None:
    path = tmp_path / "rectangle.py"
    path.write_bytes(HOLES.replace("\n", "\r\n").encode())
    neovim.open(path)
    neovim.ready()
    neovim.command("Midfill holes")
    neovim.wait(lambda: "___" not in neovim.text, "the fills")
    neovim.command("write")
    written = path.read_bytes()
    assert written.count(b"\n") == written.count(b"\r\n") == written.count(b"\r")


def test_what_cannot_be_filled_is_said(neovim: Neovim, tmp_path: Path) -> None:
    neovim.show(tmp_path / "full.py", "x = 1\n")
    neovim.command("Midfill holes")
    neovim.wait(lambda: any("no placeholder" in text for text in neovim.said))
    assert neovim.text == "x = 1"
