"""Emacs in a terminal: its grey text, lsp-mode's, and eglot's completion, as on our page."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import installed_by
from rectangle import FILLED, LINE, RECTANGLE, REST, TYPED
from terminal import TRIES, Terminal, wait_for_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parents[2] / "editors" / "emacs"
READY = "Midfill ElDoc"
QUIET = '(setq make-backup-files nil lsp-client-packages nil) (load "lsp-mode-autoloads")'
"""No file beside the tested one; lsp-mode as a package, and of its servers no other than ours."""

pytestmark = pytest.mark.usefixtures("warm_engine")


class Emacs(Terminal):
    """Emacs with some lines in its configuration and the rectangle in view."""

    def __init__(self, folder: Path, lines: str, *, first: str = "", text: str = RECTANGLE) -> None:
        """
        Args:
            lines: the name of a file on our page.
            first: an expression to evaluate before.
        """
        program = installed_by("get-emacs-30", "emacs-30", "bin/emacs")
        project = folder / "project"
        project.mkdir()
        self.file = project / "rectangle.py"
        self.file.write_bytes(text.encode())
        ours = f'(add-to-list (quote load-path) "{PAGE}")'
        before = f"(progn {QUIET} {first} {ours})"
        start = ["-Q", "-nw", "--eval", before, "-l", PAGE / lines, self.file]
        super().__init__(folder, [program, *start])
        self.wait_for_start("def perimeter")

    def go_to(self, line: int) -> None:
        """The end of a line."""
        self.evaluate(f"(progn (goto-line {line}) (end-of-line))")

    def evaluate(self, expression: str) -> None:
        self.press("M-:")
        self.wait_for("Eval:")
        self.type(expression)
        self.press("Enter")

    def call(self, command: str) -> None:
        """Call a command by its name."""
        self.press("M-x")
        self.wait_for("M-x")
        self.type(command)
        self.press("Enter")

    def call_until(self, command: str, holds: Callable[[str], bool]) -> None:
        """Call a command until something holds of the screen: what is still starting does less."""
        for seconds in TRIES:
            self.call(command)
            with suppress(AssertionError):
                self.wait_until(holds, seconds)
                return
        raise AssertionError(f"{command} does not do it:\n{self.screen}")

    def suggested(self) -> None:
        """Type something, and wait for what is suggested behind it."""
        self.type_until(TYPED, lambda _: self.shows_grey(TYPED, REST))

    def save(self) -> None:
        self.press("C-x", "C-s")

    def shows_grey(self, before: str, grey: str) -> bool:
        """Whether a text stands behind another one, in a colour of its own."""
        if before + grey not in self.screen:
            return False
        colour = r"(\x1b\[[0-9;]*m)+"
        end = before[-2:]  # what is before may have colours in it
        return re.search(re.escape(end) + colour + re.escape(grey), self.coloured) is not None


@pytest.fixture
def emacs(tmp_path: Path) -> Iterator[Emacs]:
    """Emacs with our grey text."""
    editor = Emacs(tmp_path, "init-midfill.el")
    editor.wait_for_start(READY)
    editor.go_to(LINE)
    yield editor
    editor.close()


def test_grey_text_is_taken_with_tab_and_undone_in_one_step(
    emacs: Emacs, measured: Callable[[str, float], None]
) -> None:
    emacs.suggested()
    emacs.press("BSpace")
    emacs.wait_until(lambda screen: REST not in screen)
    began = time.monotonic()
    emacs.type(TYPED[-1])
    emacs.wait_for("return self.width * self.height")
    measured("Emacs: from a key to grey text it knows", 1000 * (time.monotonic() - began))
    assert emacs.shows_grey(TYPED, REST)
    emacs.press("Tab")
    emacs.save()
    wait_for_text(emacs.file, lambda text: text == FILLED)
    emacs.press("C-/")
    emacs.save()
    wait_for_text(emacs.file, lambda text: text == FILLED.replace(REST, ""))


def test_a_suggestion_is_typed_through_taken_by_words_and_dismissed(emacs: Emacs) -> None:
    emacs.suggested()
    emacs.type("dt")
    emacs.wait_until(lambda _: emacs.shows_grey(TYPED + "dt", "h * self.height"))
    emacs.press("M-f")
    emacs.wait_until(lambda _: emacs.shows_grey("self.width", " * self.height"))
    emacs.press("M-f")
    emacs.wait_until(lambda _: emacs.shows_grey("self.width * self", ".height"))
    emacs.press("C-g")
    emacs.wait_until(lambda screen: "self.width * self.height" not in screen)
    emacs.save()
    wait_for_text(emacs.file, lambda text: "return self.width * self\n" in text)


def test_tab_indents_where_nothing_is_shown(emacs: Emacs) -> None:
    emacs.evaluate("(electric-indent-mode -1)")
    emacs.go_to(1)
    emacs.press("Enter")
    emacs.type("width = 1")
    emacs.press("C-a", "Tab")
    emacs.save()
    wait_for_text(emacs.file, lambda text: "class Rectangle:\n    width = 1\n" in text)


def test_a_file_with_carriage_returns_keeps_them(tmp_path: Path) -> None:
    emacs = Emacs(tmp_path, "init-midfill.el", text=RECTANGLE.replace("\n", "\r\n"))
    try:
        emacs.wait_for(READY)
        emacs.go_to(LINE)
        emacs.suggested()
        emacs.press("Tab")
        emacs.save()
        wait_for_text(emacs.file, lambda text: text == FILLED.replace("\n", "\r\n"))
    finally:
        emacs.close()


def test_a_region_is_filled_and_undone_in_one_step(emacs: Emacs) -> None:
    emacs.type(TYPED)
    for seconds in TRIES:
        emacs.go_to(LINE)
        emacs.press("C-@", "C-a")
        emacs.call("midfill-fill-region")
        with suppress(AssertionError):
            emacs.wait_for("return self.width * self.height", seconds=seconds)
            break
    emacs.save()
    wait_for_text(emacs.file, lambda text: text == FILLED)
    emacs.press("C-/")
    emacs.save()
    wait_for_text(emacs.file, lambda text: text == FILLED.replace(REST, ""))


def test_all_placeholders_are_filled_and_undone_in_one_step(emacs: Emacs) -> None:
    emacs.type("___")
    emacs.save()
    before = wait_for_text(emacs.file, lambda text: "return ___" in text)
    emacs.call_until("midfill-fill-holes", lambda screen: "___" not in screen)
    emacs.save()
    filled = wait_for_text(emacs.file, lambda text: "return " in text and "___" not in text)
    compile(filled, "rectangle.py", "exec")
    emacs.press("C-/")
    emacs.save()
    wait_for_text(emacs.file, lambda text: text == before)


def test_a_snooze_is_quiet_until_it_ends(emacs: Emacs) -> None:
    emacs.call_until("midfill-snooze", lambda screen: "Midfill:paused" in screen)
    emacs.type(TYPED)
    emacs.call("midfill-explain")
    emacs.wait_for("Midfill is paused for 5 more minutes.")
    assert REST not in emacs.screen
    emacs.press(*["BSpace"] * len(TYPED))
    emacs.call("midfill-resume")
    emacs.wait_for(READY)
    emacs.suggested()


def test_why_there_is_nothing_is_told(emacs: Emacs) -> None:
    emacs.evaluate("(setq midfill-settings (list :enabled :json-false))")
    emacs.call("midfill-restart")
    emacs.wait_for("Midfill:starting")
    emacs.wait_for(READY)
    emacs.call("midfill-explain")
    emacs.wait_for("switched off")


def test_a_server_that_keeps_ending_is_left_alone(tmp_path: Path) -> None:
    emacs = Emacs(tmp_path, "init-midfill.el", first='(setq midfill-command \'("false"))')
    try:
        emacs.wait_until(lambda screen: "is left alone" in screen or emacs.type("a") is not None)
        emacs.press("C-x", "1")
        emacs.wait_for("Midfill! ElDoc")
    finally:
        emacs.close()


def test_a_missing_server_is_named(tmp_path: Path) -> None:
    first = '(setq midfill-command \'("no-such-midfill"))'
    emacs = Emacs(tmp_path, "init-midfill.el", first=first)
    try:
        emacs.wait_for("There is no program", "no-such-midfill")
        emacs.type("a")
        emacs.save()
        wait_for_text(emacs.file, lambda text: text == "a" + RECTANGLE)
    finally:
        emacs.close()


def test_lsp_mode_shows_grey_text(tmp_path: Path) -> None:
    emacs = Emacs(tmp_path, "init-lsp-mode.el")
    try:
        emacs.wait_for("Import project root")
        emacs.type("i")
        emacs.wait_for("LSP[midfill")
        emacs.go_to(LINE)
        emacs.suggested()
        emacs.press("Tab")
        emacs.save()
        wait_for_text(emacs.file, lambda text: text == FILLED)
    finally:
        emacs.close()


def test_eglot_completes(tmp_path: Path) -> None:
    emacs = Emacs(tmp_path, "init-eglot.el")
    try:
        emacs.wait_for("[eglot:")
        emacs.go_to(LINE)
        emacs.type(TYPED)
        emacs.call_until(
            "completion-at-point", lambda screen: "return self.width * self.height" in screen
        )
        emacs.save()
        wait_for_text(emacs.file, lambda text: text == FILLED)
    finally:
        emacs.close()
