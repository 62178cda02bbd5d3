"""VS Code itself, in a browser: the packed extension in front of the real server and engine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from installed import from_debian, installed_by
from vscode.code_server import CodeServer
from vscode.frames import watching
from vscode.packing import ROOT, packed_extension
from vscode.tiny_wheel import tiny_wheel
from vscode.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

MIDFILL = Path(sys.executable).with_name("midfill")
PICTURES = ROOT / "docs" if os.environ.get("MIDFILL_SCREENSHOTS") else None

CIRCLE = """\
import math


class Circle:
    def __init__(self, radius: float) -> None:
        self.radius = radius

    def area(self) -> float:
        return math.pi * self.radius ** 2

    def circumference(self) -> float:
"""

SETTINGS = '''\
import json
from pathlib import Path


def load(path: Path) -> dict:
    """Read settings from a JSON file; without one they are empty."""
    if not path.exists():
        print("nothing there")
        print("nothing there")
        print("nothing there")
    with path.open() as file:
        return json.load(file)


def save(path: Path, settings: dict) -> None:
    path.write_text(json.dumps(settings))
'''

RECTANGLE = '''\
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

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="midfill-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def server(own_engine: Path, folder: Path) -> Iterator[CodeServer]:
    program = installed_by("get-code-server", "code-server", "bin/code-server")
    server = CodeServer(program, folder, packed_extension(), MIDFILL)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(server: CodeServer) -> Iterator[Browser]:
    chromium = from_debian("chromium", "chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def project(folder: Path) -> Path:
    project = folder / "project"
    project.mkdir()
    (project / "circle.py").write_text(CIRCLE)
    return project


@pytest.fixture(scope="module")
def window(server: CodeServer, browser: Browser, project: Path) -> Window:
    window = new_window(server, browser, project)
    window.go(project / "circle.py")
    window.until_ready()
    return window


def new_window(server: CodeServer, browser: Browser, folder: Path) -> Window:
    page = browser.new_page(viewport={"width": 900, "height": 600})
    return Window(page, server.origin, folder)


@pytest.fixture
def edit(window: Window, project: Path) -> Iterator[Callable[[str, str], Path]]:
    """Opens a new file with a text; the cursor is at its end."""
    opened: list[Path] = []

    def edit(name: str, text: str) -> Path:
        file = project / name
        file.write_bytes(text.encode())
        window.open(file)
        opened.append(file)
        window.press("Control+End")
        return file

    yield edit
    for file in opened:
        if window.tab == file.name:
            window.close_editor()
        window.until(lambda file=file: window.tab != file.name, "the editor is closed")
    window.clear_messages()


Edit = "Callable[[str, str], Path]"


def take_picture(window: Window, name: str) -> None:
    if PICTURES:
        area = {"x": 0, "y": 0, "width": 900, "height": 420}
        window.page.screenshot(path=PICTURES / name, clip=area)


def bare(text: str) -> str:
    """Without blanks, which are not drawn where they stand alone."""
    return text.replace(" ", "")


# grey text


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


# filling


def test_a_selection_is_filled_while_the_denoising_is_shown(window: Window, edit: Edit) -> None:
    edit("range.py", SETTINGS)
    select_lines(window, 8, 3)
    window.press("Alt+m")
    drafts = covering_drafts(window)
    assert any("░" in draft for draft in drafts)
    assert any("return" in draft for draft in drafts)
    window.until(lambda: not covers(window), "the draft is gone")
    window.press("Control+z")
    window.until(lambda: window.lines[: SETTINGS.count("\n")] == SETTINGS.splitlines(), "undone")


def test_escape_stops_filling(window: Window, edit: Edit) -> None:
    edit("stopped.py", SETTINGS)
    select_lines(window, 8, 3)
    window.press("Alt+m")
    window.until(lambda: covers(window), "a draft is shown")
    window.press("Escape")
    window.until(lambda: not covers(window), "the draft is gone")
    window.page.wait_for_timeout(300)
    assert window.lines[: SETTINGS.count("\n")] == SETTINGS.splitlines()


def test_all_placeholders_are_filled_and_undone_in_one_step(window: Window, edit: Edit) -> None:
    edit("placeholders.py", RECTANGLE)
    window.press("Alt+Shift+m")
    window.until(lambda: any(covers(window)), "a draft is shown")
    # One is covered at a time, so that both are missing only once both are filled.
    window.until(lambda: not {"...", "___"} & set("\n".join(window.lines).split()), "all is filled")
    assert "self.width * self.height" in "\n".join(window.lines)
    window.press("Control+z")
    window.until(lambda: window.lines[: RECTANGLE.count("\n")] == RECTANGLE.splitlines(), "undone")


def select_lines(window: Window, first: int, count: int) -> None:
    """Select lines without their indentation and last line break."""
    window.press("Control+g")
    window.page.locator(".quick-input-widget input:visible").first.fill(f":{first}")
    window.press("Enter", "Home", *["Shift+ArrowDown"] * (count - 1), "Shift+End")
    window.until(lambda: window.page.query_selector(".selected-text"), "something is selected")


COVERS = """() => [...document.querySelectorAll('.monaco-editor.focused .view-line span')]
  .flatMap(one => ['::before', '::after'].map(part => getComputedStyle(one, part).content))
  .filter(text => text.startsWith('"') && text.length > 2)
  .map(text => text.slice(1, -1).replaceAll('\\u00a0', ' '))"""


def covers(window: Window) -> list[str]:
    """The texts that cover what is being filled."""
    texts: list[str] = window.page.evaluate(COVERS)
    return texts


def covering_drafts(window: Window) -> list[str]:
    """All drafts that are seen until the text is there."""
    seen: list[str] = []

    def filled() -> bool:
        draft = " ".join(covers(window))
        if draft and draft not in seen[-1:]:
            seen.append(draft)
            if "return" in draft:
                take_picture(window, "vscode-range.png")
        # What covers a line is not in its text.
        return any("return" in line for line in window.lines[7:9])

    window.until(filled, "it is filled")
    return seen


# commands


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


# what is measured


LINES = (
    "total = sum(",
    "average = total / ",
    "largest = max(",
    "smallest = min(",
    "for value in ",
    "squares = [value * ",
    "even = [value for value in ",
    "pairs = zip(",
    "text = str(",
    "count = len(",
    "ordered = sorted(",
    "print(",
    "lines = text.split(",
    "joined = ', '.join(",
    "first = values[",
    "with open(",
    "if total > ",
    "while count < ",
    "names = list(",
    "result = average + ",
)
NUMBERS = "values = [3, 1, 2]\n"


def test_how_long_a_key_takes_to_grey_text(
    window: Window, edit: Edit, measured: Callable[[str, float], None]
) -> None:
    edit("measured.py", NUMBERS)
    answered = 0
    for line in LINES:
        window.type(line[:-1])
        window.press("Escape")
        window.page.wait_for_timeout(30)
        with watching(window) as watched:
            window.type(line[-1])
            window.page.wait_for_timeout(30)
            for _ in range(100):
                if window.ghost:
                    break
                window.page.wait_for_timeout(20)
        window.press("Escape")
        key = watched.keys[0]
        if key["grey"] is not None and not key["before"]:
            answered += 1
            measured("VS Code, key to grey text", key["grey"])
        window.press("Control+a")
        window.page.keyboard.insert_text(NUMBERS)
    assert answered >= 15


# what goes wrong


def test_the_engine_may_be_killed(
    window: Window,
    edit: Edit,
    end_engine: Callable[[], None],
    measured: Callable[[str, float], None],
) -> None:
    edit("killed.py", CIRCLE)
    window.type("        return ")
    window.until_ghost()
    end_engine()
    window.press("Enter")
    window.until(lambda: "ready" not in window.status, "it is missed")
    window.until_ready()
    assert window.messages == []
    window.press("Control+z")
    window.press("Control+End")
    end_engine()
    began = time.monotonic()
    window.run("Midfill: Restart")
    window.until(lambda: "ready" not in window.status, "it starts")
    window.until_ready()
    window.press("Backspace")
    window.type(" ")
    window.until_ghost()
    measured(
        "VS Code, start of server and engine to first grey text", 1000 * (time.monotonic() - began)
    )
    began = time.monotonic()
    window.run("Midfill: Restart")
    window.until(lambda: "ready" not in window.status, "it starts")
    window.until_ready()
    window.press("Backspace")
    window.type(" ")
    window.until_ghost()
    measured("VS Code, start of server to first grey text", 1000 * (time.monotonic() - began))


def test_two_windows_may_show_one_folder(
    window: Window, edit: Edit, server: CodeServer, browser: Browser, project: Path
) -> None:
    edit("first.py", CIRCLE)
    (project / "second.py").write_text(CIRCLE)
    other = new_window(server, browser, project)
    try:
        other.go(project / "second.py")
        other.until_ready()
        other.page.click(".monaco-editor .view-lines")
        other.press("Control+End")
        for one in (other, window):
            one.type("        return ")
            one.until_ghost("math.pi")
    finally:
        other.page.close()


@pytest.fixture
def read_only(folder: Path) -> Iterator[Path]:
    """A folder on a disk that cannot be written to."""
    place = folder / "read-only"
    place.mkdir()
    (place / "circle.py").write_text(CIRCLE)
    if os.geteuid() != 0:
        place.chmod(0o555)
        (place / "circle.py").chmod(0o444)
        yield place
        place.chmod(0o755)
        return
    mounts = (["--bind", place, place], ["-o", "remount,ro,bind", place])
    done = [subprocess.run(["mount", *map(str, options)], check=False) for options in mounts]
    try:
        if any(one.returncode for one in done):
            pytest.skip("nothing can be mounted read-only here")
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=False)


def test_a_workspace_may_be_read_only(
    read_only: Path, server: CodeServer, browser: Browser
) -> None:
    window = new_window(server, browser, read_only)
    try:
        window.go(read_only / "circle.py")
        window.until_ready()
        window.page.click(".monaco-editor .view-lines")
        window.press("Control+End")
        window.type("        return ")
        window.until_ghost("math.pi")
        assert [message for message in window.messages if "Midfill" in message] == []
    finally:
        window.page.close()


@pytest.fixture
def visit(server: CodeServer, browser: Browser, project: Path) -> Iterator[Callable[..., Window]]:
    """Opens a window of its own, with other settings."""
    windows: list[Window] = []

    def visit(user: dict[str, Any] | None = None, machine: dict[str, Any] | None = None) -> Window:
        server.write_settings(user, machine)
        window = new_window(server, browser, project)
        windows.append(window)
        window.go(project / "circle.py")
        return window

    yield visit
    for window in windows:
        window.page.close()
    server.write_settings()


def program(folder: Path, script: str) -> str:
    """A program that stands in for Midfill."""
    file = folder / "midfill-stand-in"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def test_a_server_that_keeps_crashing_is_given_up_until_the_user_wants_it_again(
    visit: Callable[..., Window], folder: Path
) -> None:
    crashing = program(folder, '[ "$1" = --version ] && echo midfill 0.1.0 && exit; exit 3')
    window = visit(machine={"midfill.server.command": crashing})
    message = window.until_message("has ended 4 times")
    assert "exit status 3" in message
    assert "Restart" in message
    assert "Show Log" in message
    assert "is not started again" in window.status
    program(folder, f'exec {MIDFILL} "$@"')
    window.page.click(".notification-toast .monaco-button:has-text('Restart')")
    window.until_ready()


def test_a_broken_environment_is_said_to_be_broken(
    visit: Callable[..., Window], folder: Path
) -> None:
    broken = program(folder, "echo ModuleNotFoundError: no torch here >&2; exit 1")
    window = visit(machine={"midfill.server.command": broken})
    message = window.until_message("environment is broken")
    assert "no torch here" in message
    assert "Open Settings" in message
    assert len([one for one in window.messages if "Midfill" in one]) == 1


def test_without_midfill_and_python_it_says_so_and_installs_once_there_is_a_python(
    visit: Callable[..., Window], server: CodeServer, folder: Path
) -> None:
    wheel = tiny_wheel(folder, MIDFILL)
    window = visit(machine={"midfill.server.command": "", "midfill.server.package": str(wheel)})
    message = window.until_message("Midfill is not installed")
    assert "Install Midfill" in message
    install = ".notification-toast .monaco-button:has-text('Install Midfill')"
    window.page.click(install)
    message = window.until_message("No Python was found")
    assert "Get Python" in message
    window.clear_messages()
    (folder / "bin" / "python3").symlink_to(sys.executable)
    window.run("Midfill: Install into an Environment of Its Own")
    window.until_message("Installing Midfill")
    window.until_ready()
    assert (server.own_environment / "bin" / "midfill").is_file()


def test_it_is_off_in_a_workspace_until_that_is_trusted(visit: Callable[..., Window]) -> None:
    window = visit(
        user={
            "security.workspace.trust.enabled": True,
            "security.workspace.trust.startupPrompt": "never",
            "security.workspace.trust.banner": "never",
        },
        machine={"midfill.server.command": str(MIDFILL)},
    )
    window.until(lambda: "until you trust" in window.status, "it is off", 60)
    window.page.click(".statusbar-item[id$='midfill.status'] a")
    window.page.wait_for_selector(".quick-input-widget .monaco-list-row:has-text('Manage')")
    window.press("Enter")
    trust = window.page.locator(".workspace-trust-editor .monaco-button:has-text('Trust')").first
    trust.click()
    window.until_ready()
