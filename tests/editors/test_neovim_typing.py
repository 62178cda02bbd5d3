"""Grey text while typing, in real Neovims: 0.12's own inline completion, and ours on 0.11."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neovim import Ghost, Neovim

CIRCLE = '''\
import math


def circle_area(radius: float) -> float:
    """The area of a circle."""
'''

SEVERAL_LINES = '''\
def maximum(numbers: list[int]) -> int:
    """The largest of the numbers."""
    largest = numbers[0]
    for number in numbers:
'''


@pytest.fixture
def circle(neovim: Neovim, tmp_path: Path) -> Neovim:
    """A Neovim in which somebody types the body of a function, with grey text in front of them."""
    neovim.show(tmp_path / "circle.py", CIRCLE)
    neovim.type("Go    return ")
    assert len(neovim.suggestion().text) > 5
    return neovim


@pytest.fixture
def by_hand(neovim: Neovim) -> Iterator[Neovim]:
    """A Neovim in which nothing is suggested unasked."""
    neovim.configure(mode="manual")
    yield neovim
    neovim.configure()


def at_cursor(neovim: Neovim) -> Ghost:
    """The grey text, which has to be there and to stand at the cursor."""
    ghost = neovim.ghost
    assert ghost is not None
    assert (ghost.row, ghost.col) == neovim.cursor
    return ghost


def never_elsewhere(neovim: Neovim, seconds: float = 0.5) -> None:
    """Look until there is grey text, or for so long: it has to stand at the cursor.

    The answer to a newer question comes last, so behind it none to an older one can.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and neovim.ghost is None:
        time.sleep(0.005)
    ghost = neovim.ghost
    assert ghost is None or (ghost.row, ghost.col) == neovim.cursor


def test_tab_accepts_what_is_shown(circle: Neovim) -> None:
    line, ghost = circle.line, at_cursor(circle)
    circle.type("<Tab>")
    circle.wait(lambda: circle.line != line, "the accepted text")
    assert circle.line == line + ghost.text
    assert circle.cursor == (ghost.row, len(circle.line))
    compile(circle.text, "circle.py", "exec")


def test_accepting_is_undone_in_one_step(circle: Neovim) -> None:
    before = circle.text
    circle.type("<Tab>")
    circle.wait(lambda: circle.text != before)
    after = circle.text
    circle.type("# mine<Esc>u")
    circle.wait(lambda: circle.text == after, "what was typed later to be undone first")
    circle.type("u")
    circle.wait(lambda: circle.text != after)
    assert circle.text == before


def test_typing_through_a_suggestion_never_hides_it(circle: Neovim) -> None:
    whole, line = at_cursor(circle).text, circle.line
    for typed in range(1, len(whole)):
        circle.type_text(whole[typed - 1])
        circle.wait(lambda typed=typed: circle.line == line + whole[:typed], "the key")
        for _ in range(5):
            assert at_cursor(circle).text == whole[typed:]
            time.sleep(0.005)


def test_typing_against_a_suggestion_hides_it_at_once(circle: Neovim) -> None:
    line, stale = circle.line, at_cursor(circle).text
    circle.type("Q")
    circle.wait(lambda: circle.line == line + "Q")
    ghost = circle.ghost
    assert ghost is None or not ghost.text.endswith(stale[1:])


def test_deleting_before_a_suggestion_hides_it_at_once(circle: Neovim) -> None:
    line, stale = circle.line, at_cursor(circle).text
    circle.type("<BS><BS>")
    circle.wait(lambda: len(circle.line) == len(line) - 2)
    ghost = circle.ghost
    assert ghost is None or ghost.text != stale


def test_tab_indents_where_nothing_is_shown(circle: Neovim) -> None:
    line = circle.line
    circle.type("<C-]>")
    circle.wait(lambda: circle.ghost is None, "nothing shown")
    circle.command("setlocal noexpandtab softtabstop=0")
    circle.type("<Tab>")
    circle.wait(lambda: circle.line != line)
    assert circle.line == line + "\t"


def test_tab_does_what_the_user_has_mapped_it_to_where_nothing_is_shown(circle: Neovim) -> None:
    circle.command("inoremap <expr> <Tab> 'mine'")
    try:
        line = circle.line
        circle.type("<C-]>")
        circle.wait(lambda: circle.ghost is None, "nothing shown")
        circle.type("<Tab>")
        circle.wait(lambda: circle.line == line + "mine")
    finally:
        circle.command("iunmap <Tab>")


def test_keys_behind_tab_come_behind_what_it_accepts(circle: Neovim) -> None:
    line, ghost = circle.line, at_cursor(circle)
    circle.type("<Tab>  # done")
    circle.wait(lambda: circle.line.endswith("# done"))
    assert circle.line == f"{line}{ghost.text}  # done"


def test_a_word_is_accepted_and_the_rest_stays(circle: Neovim) -> None:
    line, whole = circle.line, at_cursor(circle).text
    circle.type("<M-f>")
    circle.wait(lambda: circle.line != line, "the accepted word")
    word = circle.line[len(line) :]
    assert whole.startswith(word)
    assert len(word) < len(whole)
    assert at_cursor(circle).text == whole[len(word) :]
    circle.type("<Tab>")
    circle.wait(lambda: circle.line == line + whole, "the rest")


def test_lines_of_a_block_are_accepted_one_by_one(neovim: Neovim, tmp_path: Path) -> None:
    neovim.show(tmp_path / "maximum.py", SEVERAL_LINES)
    neovim.type("Go")
    neovim.type("        ")
    whole = neovim.suggestion().text
    assert "\n" in whole
    before = neovim.text
    lines = whole.split("\n")
    for number in range(1, len(lines) + 1):
        neovim.type("<M-e>")
        wanted = before + "\n".join(lines[:number])
        neovim.wait(lambda wanted=wanted: neovim.text == wanted, f"{number} lines of {whole!r}")
        if number < len(lines):
            assert at_cursor(neovim).text == "\n" + "\n".join(lines[number:])
    compile(neovim.text, "maximum.py", "exec")


def test_typing_through_several_lines_keeps_the_rest_in_place(
    neovim: Neovim, tmp_path: Path
) -> None:
    neovim.show(tmp_path / "maximum.py", SEVERAL_LINES)
    neovim.type("Go")
    neovim.type("        ")
    whole = neovim.suggestion().text
    assert "\n" in whole
    first, second = whole.split("\n")[:2]
    neovim.type_text(first)
    neovim.type("<CR>")
    row = SEVERAL_LINES.count("\n") + 1
    neovim.wait(lambda: neovim.cursor[0] == row, "the next line")
    neovim.type_text(second[: len(second) - 2])
    neovim.wait(lambda: neovim.line == second[: len(second) - 2])
    assert at_cursor(neovim).text == whole[len(first) + 1 + len(second) - 2 :]


def test_the_next_suggestions_come_on_demand_and_go_round(circle: Neovim) -> None:
    first = at_cursor(circle).text
    numbered = circle.wait_pressing(
        "<M-]>", lambda: (g := circle.ghost) and "(2/" in g.text and g.text, "the second"
    )
    second, _, count = numbered.removesuffix(")").rpartition(" (2/")
    assert second != first
    circle.type("<M-[>")
    circle.wait(lambda: (g := circle.ghost) and g.text == f"{first} (1/{count})", "the first")
    circle.type("<M-]>")
    circle.wait(lambda: (g := circle.ghost) and g.text == numbered, "the second again")
    line = circle.line
    circle.type("<Tab>")
    circle.wait(lambda: circle.line != line)
    assert circle.text.endswith(line + second)


def test_a_suggestion_can_be_asked_for_by_hand(by_hand: Neovim, tmp_path: Path) -> None:
    by_hand.show(tmp_path / "circle.py", CIRCLE)
    by_hand.type("Go    return ")
    by_hand.kept_quiet("    return ", "only when it is asked by hand")
    by_hand.type("<M-Bslash>")
    assert "radius" in by_hand.suggestion("<M-Bslash>").text
    at_cursor(by_hand)


def test_the_completion_popup_and_grey_text_live_together(circle: Neovim) -> None:
    circle.command("set completeopt=menuone,noselect")
    circle.type("<CR>    rad<C-n>")
    visible = circle.wait(lambda: circle.lua("return vim.fn.pumvisible()"), "the popup")
    ghost = circle.suggestion()
    assert visible
    assert circle.lua("return vim.fn.pumvisible()") == 1
    assert at_cursor(circle).text == ghost.text
    line = circle.line
    circle.type("<C-n>")
    circle.wait(lambda: circle.line != line, "the chosen entry")
    assert circle.line.strip() == "radius"


def test_crlf_files_stay_crlf(neovim: Neovim, tmp_path: Path) -> None:
    path = tmp_path / "maximum.py"
    path.write_bytes(SEVERAL_LINES.replace("\n", "\r\n").encode())
    neovim.open(path)
    neovim.ready()
    assert neovim.lua("return vim.bo.fileformat") == "dos"
    neovim.type("Go")
    neovim.type("        ")
    ghost = neovim.suggestion()
    assert "\n" in ghost.text
    assert "\r" not in ghost.text
    before = neovim.text
    neovim.type("<Tab>")
    neovim.wait(lambda: neovim.text == before + ghost.text, "the block")
    neovim.type("<Esc>")
    neovim.command("write")
    written = path.read_bytes()
    assert written.count(b"\n") == written.count(b"\r\n") == written.count(b"\r")
    assert written.decode().replace("\r\n", "\n") == before + ghost.text + "\n"


def test_grey_text_keeps_to_its_line_when_lines_come_above(circle: Neovim) -> None:
    circle.nvim.api.buf_set_lines(0, 0, 0, True, ["# one", "# two", "# three"])
    row, col = circle.cursor
    assert circle.line.startswith("    return ")
    for _ in range(20):
        ghost = circle.ghost
        assert ghost is None or (ghost.row, ghost.col) == (row, col)
        time.sleep(0.005)
    assert circle.suggestion().row == row


def test_grey_text_asked_for_elsewhere_never_shows(neovim: Neovim, tmp_path: Path) -> None:
    neovim.show(tmp_path / "circle.py", CIRCLE)
    for wait in (0.03, 0.06, 0.1, 0.2):
        neovim.type("Go    return ")
        neovim.wait(lambda: neovim.line == "    return ")
        time.sleep(wait)  # the question is on its way, or the answer
        neovim.type("<Esc>ggO# ")
        neovim.wait(lambda: neovim.line == "# ")
        never_elsewhere(neovim)
        neovim.type("<Esc>u")
        neovim.wait(lambda: neovim.mode == "n")
        assert neovim.ghost is None


def test_a_paste_above_while_the_model_is_asked_misplaces_nothing(
    neovim: Neovim, tmp_path: Path
) -> None:
    neovim.show(tmp_path / "circle.py", CIRCLE)
    for wait in (0.0, 0.05, 0.1):
        neovim.type("Go    return ")
        neovim.wait(lambda: neovim.line == "    return ")
        time.sleep(wait)
        neovim.nvim.api.buf_set_lines(0, 0, 0, True, ["# pasted"] * 3)
        never_elsewhere(neovim)
        assert neovim.suggestion().row == neovim.cursor[0]
        neovim.type("<Esc>")
        neovim.wait(lambda: neovim.mode == "n")


def test_leaving_insert_mode_hides_everything(circle: Neovim) -> None:
    circle.type("<Esc>")
    circle.wait(lambda: circle.mode == "n")
    assert circle.ghost is None
    circle.type("A")
    circle.suggestion()


def test_a_line_is_completed_in_front_of_what_stands_behind(neovim: Neovim, tmp_path: Path) -> None:
    neovim.show(tmp_path / "circle.py", CIRCLE + "    return ()\n")
    neovim.type("Gf(a")
    ghost = neovim.suggestion()
    neovim.type("<Tab>")
    neovim.wait(lambda: neovim.line == f"    return ({ghost.text})")


def test_the_statusline_says_what_goes_on(neovim: Neovim, tmp_path: Path) -> None:
    neovim.show(tmp_path / "circle.py", CIRCLE)
    neovim.command("Midfill snooze 5")
    neovim.wait(lambda: neovim.statusline == "midfill: paused")
    neovim.command("Midfill resume")
    neovim.wait(lambda: neovim.statusline == "midfill: ready")
    neovim.command("Midfill disable buffer")
    assert neovim.statusline == "midfill: off"
    neovim.type("Go    return ")
    neovim.wait(lambda: neovim.mode == "i")
    time.sleep(0.3)  # nothing is to happen
    assert neovim.ghost is None
    neovim.command("Midfill enable buffer")
    assert neovim.statusline == "midfill: ready"
    neovim.suggestion()
    neovim.command("help")
    assert neovim.statusline == ""
