"""Grey text in VS Code itself: the packed extension in front of the real server and engine."""

from __future__ import annotations

from contextlib import suppress
from statistics import median
from typing import TYPE_CHECKING

import pytest
from vscode.frames import watching
from vscode.pictures import take_picture
from vscode.texts import CIRCLE, SETTINGS

if TYPE_CHECKING:
    from vscode.fixtures import Edit
    from vscode.window import Window


pytestmark = pytest.mark.timeout(600)


def bare(text: str) -> str:
    """Without blanks, which are not drawn where they stand alone."""
    return text.replace(" ", "")


def test_grey_text_is_shown_and_tab_takes_all_of_it(window: Window, edit: Edit) -> None:
    edit("taken.py", CIRCLE)
    window.type("        return ")
    grey = window.until_ghost("math.pi")
    take_picture(window, "vscode-suggestion.png")
    window.press("Tab")
    window.until(lambda: window.lines[-1] == f"        return {grey}", "it is in the text")
    window.press("Control+z")
    window.until(lambda: window.lines[-1] == "        return ", "it is undone in one step")


def test_typing_through_grey_text_never_makes_it_flicker(window: Window, edit: Edit) -> None:
    edit("through.py", CIRCLE)
    window.type("        return ")
    grey = window.until_ghost("math.pi")
    typed = grey[:9]
    with watching(window) as watched:
        window.type(typed, delay=70)
        window.until(lambda: window.lines[-1].endswith(f"return {typed}"), "all is typed")
        window.page.wait_for_timeout(300)
    assert len(watched.frames) > 10
    for frame in watched.frames:
        assert frame["grey"], "a frame without grey text"
        assert bare(grey).endswith(bare(frame["grey"]))
    assert window.ghost == grey[len(typed) :]


def test_escape_hides_it_and_tab_indents_where_nothing_is_shown(window: Window, edit: Edit) -> None:
    edit("escape.py", CIRCLE)
    window.type("        return ")
    window.until_ghost()
    window.press("Escape")
    window.until(lambda: not window.ghost, "it is hidden")
    window.press("Home", "Home", "Tab")
    window.until(lambda: window.lines[-1] == "            return ", "Tab indents")


def test_a_word_and_a_line_can_be_taken(window: Window, edit: Edit) -> None:
    edit("parts.py", CIRCLE)
    window.type("        return ")
    grey = window.until_ghost("math.pi")
    window.press("Control+ArrowRight")
    window.until(lambda: window.lines[-1] != "        return ", "something is taken")
    taken = window.lines[-1].removeprefix("        return ")
    assert grey.startswith(taken)
    assert 0 < len(taken) < len(grey)
    window.until_ghost(grey[len(taken) :].strip())
    window.press("Alt+End")
    window.until(lambda: window.lines[-1] == f"        return {grey}", "the line is taken")


def test_somebody_who_asks_gets_more_than_one(window: Window, edit: Edit) -> None:
    edit("several.py", "x =")
    window.type(" ")
    window.press("Escape")
    window.press("Alt+Backslash")
    first = window.until_ghost()
    window.press("Alt+BracketRight")
    window.until(lambda: window.ghost not in ("", first), "another one")
    window.press("Alt+BracketLeft")
    window.until(lambda: window.ghost == first, "the first one again")


def test_grey_text_goes_on_from_the_entry_chosen_in_the_popup(window: Window, edit: Edit) -> None:
    edit("popup.py", CIRCLE)
    window.type("        return 2 * ma")
    window.press("Control+Space")
    window.page.wait_for_selector(".suggest-widget.visible .monaco-list-row.focused")
    grey = window.until_ghost("th.pi")
    assert window.page.query_selector(".suggest-widget.visible")
    window.press("Tab")
    window.until(lambda: window.lines[-1].endswith("2 * math"), "the entry is taken")
    window.until_ghost(grey.removeprefix("th"))


def test_grey_text_is_always_on_the_line_of_the_cursor(window: Window, edit: Edit) -> None:
    edit("lines.py", CIRCLE)
    window.type("        return ")
    window.until_ghost("math.pi")
    with watching(window) as watched:
        for keys in (["Shift+Alt+ArrowUp"], ["Control+Shift+Enter"], ["Control+z", "Control+z"]):
            window.press(*keys)
            window.page.wait_for_timeout(250)
        window.press("Control+End")
        window.type("2")
        window.page.wait_for_timeout(500)
    shown = [frame for frame in watched.frames if frame["grey"]]
    assert shown
    assert [frame for frame in shown if frame["line"] != frame["cursor"]] == []


def test_the_line_breaks_of_a_file_stay_what_they_are(window: Window, edit: Edit) -> None:
    file = edit("dos.py", SETTINGS.replace("\n", "\r\n"))
    window.type("\n\ndef delete(path: Path) -> None:\n")
    window.until_ghost("path")
    window.press("Tab")
    window.until(lambda: "path" in window.lines[-1], "it is in the text")
    window.save()
    saved = file.read_bytes()
    assert saved.count(b"\n") > SETTINGS.count("\n")
    assert saved.count(b"\r\n") == saved.count(b"\n")
    assert b"\r\r" not in saved


def test_a_file_of_20000_lines_stays_smooth(window: Window, edit: Edit) -> None:
    def until_typed(name: str, text: str) -> float:
        """Milliseconds from a key to its letter, the median."""
        edit(name, text)
        with watching(window) as watched:
            window.type("        return ", delay=50)
            window.until(lambda: window.lines[-1].endswith("return "), "all is typed")
        times = [key["typed"] for key in watched.keys if key["typed"] is not None]
        assert len(times) >= 5
        ask_until_ghost(window)
        return median(times)

    unit = "def step_{n}(value):\n    total = value + {n}\n    return total\n\n"
    small = until_typed("small.py", CIRCLE)
    large = until_typed("large.py", "".join(unit.format(n=n) for n in range(5000)) + CIRCLE)
    assert large < 2 * small + 20


def ask_until_ghost(window: Window) -> None:
    """Have grey text behind the cursor's blank.

    A thousand tokens that the engine has never seen take a busy machine longer than it is given
    for an answer; it keeps what it has read, and the next key is answered.
    """
    for _ in range(10):
        with suppress(AssertionError):
            window.until(lambda: window.ghost, "grey text", seconds=15)
            return
        window.press("Backspace")
        window.type(" ")
    window.until_ghost()
