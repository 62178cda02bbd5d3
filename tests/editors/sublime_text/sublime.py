"""A stand-in for Sublime Text's module of this name, as far as the LSP package uses it here.

The package's own code runs on it unchanged: a text with one cursor, settings read from files, the
two threads that Sublime Text gives to packages, and what is shown kept as values. Whatever else the
package reaches for is missing and fails loudly. Names, signatures and meaning follow Sublime Text's
documentation of its API.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import json
import re
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sublime_plugin import TextChangeListener

BUILD = 4200

SCOPES = {".py": "source.python", ".js": "source.js", ".rs": "source.rust", ".md": "text.html"}

PREFERENCES: dict[str, Any] = {
    "auto_complete_include_snippets": True,
    "auto_complete_selector": "source",
    "file_exclude_patterns": [],
    "folder_exclude_patterns": [],
}
"""Sublime Text's own, as far as the package reads them."""

folders: dict[str, Path] = {}
"""``packages`` holds one folder a package, ``user`` the user's settings, ``cache`` nothing."""


# What is numbered


class _Numbers(type):
    """Every name asked for is a number of its own with one bit, but `NONE`, which is 0."""

    def __getattr__(cls, name: str) -> int:
        if name.startswith("_"):
            raise AttributeError(name)
        number = 0 if name == "NONE" else 1 << len(vars(cls))
        setattr(cls, name, number)
        return number


class RegionFlags(metaclass=_Numbers): ...


class AutoCompleteFlags(metaclass=_Numbers): ...


class CompletionFormat(metaclass=_Numbers): ...


class NewFileFlags(metaclass=_Numbers): ...


class PopupFlags(metaclass=_Numbers): ...


class KindId(metaclass=_Numbers): ...


class PhantomLayout(metaclass=_Numbers): ...


class QueryOperator(metaclass=_Numbers): ...


class HoverZone(metaclass=_Numbers): ...


class DialogResult(metaclass=_Numbers): ...


COMPLETION_FLAG_KEEP_PREFIX = 1
KIND_AMBIGUOUS = (0, "", "")
KIND_FUNCTION = KIND_KEYWORD = KIND_MARKUP = KIND_NAMESPACE = KIND_AMBIGUOUS
KIND_NAVIGATION = KIND_TYPE = KIND_VARIABLE = KIND_AMBIGUOUS


# The two threads


class Loop:
    """A thread that runs what it is given, when it is due, one after the other."""

    def __init__(self, name: str) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def call(self, function: Callable[[], object], milliseconds: float = 0) -> None:
        with self._changed:
            due = time.monotonic() + milliseconds / 1000
            heapq.heappush(self._due, (due, next(self._order), function))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            try:
                self._next()()
            except Exception:
                print(traceback.format_exc())  # as in Sublime Text's console

    def _next(self) -> Callable[[], object]:
        with self._changed:
            while not self._due or self._due[0][0] > time.monotonic():
                wait = self._due[0][0] - time.monotonic() if self._due else None
                self._changed.wait(wait if wait is None else max(wait, 0))
            return heapq.heappop(self._due)[2]


_main, _worker = Loop("main"), Loop("worker")
set_timeout, set_timeout_async = _main.call, _worker.call


def on_main(function: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Run something on the main thread, as what a user does, and wait for it."""
    return _outcome(_main, function)


def on_worker(function: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Run something on the packages' thread behind all that is due, and wait for it."""
    return _outcome(_worker, function)


def _outcome(loop: Loop, function: Callable[[], Any]) -> Any:  # noqa: ANN401
    done, outcome = threading.Event(), []

    def run() -> None:
        try:
            outcome.append(function())
        finally:
            done.set()

    loop.call(run)
    done.wait()
    return outcome[0]


# Settings and resources


def decode_value(text: str) -> Any:  # noqa: ANN401
    """JSON with comments and commas behind the last element."""
    token = r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*)*[\]}])'
    return json.loads(re.sub(token, lambda found: found[1] or "", text, flags=re.DOTALL))


class Settings:
    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._listeners: dict[str, Callable[[], None]] = {}

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        return self._values.get(key, default)

    def has(self, key: str) -> bool:
        return key in self._values

    def set(self, key: str, value: Any) -> None:  # noqa: ANN401
        self._values[key] = value
        for listener in self._listeners.values():
            set_timeout(listener)

    def erase(self, key: str) -> None:
        self._values.pop(key, None)

    def to_dict(self) -> dict[str, Any]:
        return dict(self._values)

    def add_on_change(self, tag: str, listener: Callable[[], None]) -> None:
        self._listeners[tag] = listener

    def clear_on_change(self, tag: str) -> None:
        self._listeners.pop(tag, None)


@functools.cache
def load_settings(name: str) -> Settings:
    """What a package has under a name, with the user's own over it."""
    values: dict[str, Any] = {}
    for folder in [*folders["packages"].iterdir(), folders["user"]]:
        file = folder / name
        if name and file.is_file():
            values |= decode_value(file.read_text())
    return Settings(values)


def load_resource(name: str) -> str:
    return (folders["packages"] / name.removeprefix("Packages/")).read_text()


def expand_variables(value: Any, variables: dict[str, str]) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return re.sub(r"\$\{?(\w+)\}?", lambda found: variables.get(found[1], ""), value)
    if isinstance(value, dict):
        return {key: expand_variables(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [expand_variables(each, variables) for each in value]
    return value


def score_selector(scope: str, selector: str) -> int:
    """How many parts of the scope the longest alternative names that fits."""
    names = [name.strip() for name in selector.split("|")]
    return max(len(name.split(".")) if f"{scope}.".startswith(f"{name}.") else 0 for name in names)


# The program


def version() -> str:
    return str(BUILD)


def platform() -> str:
    return "linux"


def packages_path() -> str:
    return str(folders["packages"])


def installed_packages_path() -> str:
    return str(folders["cache"] / "Installed Packages")


def cache_path() -> str:
    return str(folders["cache"])


def status_message(message: str) -> None:
    print(message)


def message_dialog(message: str) -> None:
    print(message)


error_message = message_dialog


def windows() -> list[Window]:
    return [_window]


def active_window() -> Window:
    return _window


# What is shown


class CompletionItem:
    def __init__(
        self,
        trigger: str,
        annotation: str,
        completion: str,
        completion_format: int,
        kind: tuple[int, str, str],
        details: str,
    ) -> None:
        self.trigger, self.annotation, self.details = trigger, annotation, details
        self.completion, self.completion_format, self.flags = completion, completion_format, 0


class CompletionList:
    def __init__(self) -> None:
        self.items: list[CompletionItem] = []
        self.flags = 0
        self.filled = threading.Event()

    def set_completions(self, items: list[CompletionItem], flags: int = 0) -> None:
        self.items, self.flags = items, flags
        self.filled.set()


class Phantom: ...


class PhantomSet:
    def __init__(self, view: View, key: str = "") -> None: ...

    def update(self, phantoms: list[Phantom]) -> None:
        assert not phantoms


class ListInputItem: ...


# Texts


class Region:
    def __init__(self, a: int, b: int | None = None) -> None:
        self.a, self.b = a, a if b is None else b

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Region) and (self.a, self.b) == (other.a, other.b)

    __hash__ = None  # type: ignore[assignment]

    def begin(self) -> int:
        return min(self.a, self.b)

    def end(self) -> int:
        return max(self.a, self.b)

    def empty(self) -> bool:
        return self.a == self.b


class HistoricPosition:
    def __init__(self, view: View, point: int) -> None:
        self.pt = point
        self.row, self.col_utf16 = view.rowcol_utf16(point)


class TextChange:
    def __init__(self, view: View, region: Region, text: str) -> None:
        self.a = HistoricPosition(view, region.begin())
        self.b = HistoricPosition(view, region.end())
        self.len_utf16 = _utf16(view.substr(region))
        self.str = text


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class Edit: ...


class Syntax:
    def __init__(self, scope: str) -> None:
        self.scope = scope


class Sheet:
    def is_transient(self) -> bool:
        return False

    def group(self) -> int:
        return 0


class HtmlSheet: ...


class Selection(list[Region]):
    def add(self, region: Region) -> None:
        self.append(region)


class Buffer:
    def __init__(self, view: View) -> None:
        self.buffer_id, self._view = view.id(), view

    def primary_view(self) -> View:
        return self._view

    def views(self) -> list[View]:
        return [self._view]


class View:
    """A text in the only window; a panel has no file."""

    _ids = itertools.count(1)

    def __init__(self, window: Window, file: Path | None = None) -> None:
        self._id, self._window, self._file = next(self._ids), window, file
        self._text = file.read_text() if file else ""
        self._settings = Settings(dict(PREFERENCES))
        self._selection = Selection([Region(0)])
        self._changes: list[TextChange] = []
        self._change_count = 0
        self._statuses: dict[str, str] = {}
        self._buffer = Buffer(self)
        self.change_listener: TextChangeListener | None = None

    def id(self) -> int:
        return self._id

    def buffer_id(self) -> int:
        return self._id

    def buffer(self) -> Buffer:
        return self._buffer

    def window(self) -> Window:
        return self._window

    def sheet(self) -> Sheet:
        return Sheet()

    def element(self) -> str | None:
        return None if self._file else "output:output"

    def file_name(self) -> str | None:
        return str(self._file) if self._file else None

    def is_valid(self) -> bool:
        return True

    def is_primary(self) -> bool:
        return True

    def is_loading(self) -> bool:
        return False

    def is_popup_visible(self) -> bool:
        return False

    def settings(self) -> Settings:
        return self._settings

    def syntax(self) -> Syntax | None:
        return Syntax(SCOPES[self._file.suffix]) if self._file else None

    def score_selector(self, point: int, selector: str) -> int:
        syntax = self.syntax()
        return score_selector(syntax.scope, selector) if syntax else 0

    def style_for_scope(self, scope: str) -> dict[str, Any]:
        return {"foreground": "#000000"}

    def set_status(self, key: str, status: str) -> None:
        self._statuses[key] = status

    def get_status(self, key: str) -> str:
        return self._statuses.get(key, "")

    def erase_status(self, key: str) -> None:
        self._statuses.pop(key, None)

    def add_regions(self, key: str, *_: object, **__: object) -> None: ...

    def erase_regions(self, key: str) -> None: ...

    def get_regions(self, key: str) -> list[Region]:
        return []

    def unfold(self, region: Region) -> None: ...

    def clear_undo_stack(self) -> None: ...

    def assign_syntax(self, syntax: str) -> None: ...

    def set_read_only(self, read_only: bool) -> None: ...

    def sel(self) -> Selection:
        return self._selection

    def size(self) -> int:
        return len(self._text)

    def change_count(self) -> int:
        return self._change_count

    def substr(self, where: Region | int) -> str:
        region = where if isinstance(where, Region) else Region(where, where + 1)
        return self._text[region.begin() : region.end()]

    def word_before(self, point: int) -> str:
        """What Sublime Text calls the prefix of a completion."""
        found = re.search(r"\w*\Z", self._text[:point])
        return found.group() if found else ""

    def rowcol_utf16(self, point: int) -> tuple[int, int]:
        before = self._text[:point]
        return before.count("\n"), _utf16(before[before.rfind("\n") + 1 :])

    def text_point_utf16(self, row: int, column: int, clamp_column: bool = False) -> int:
        point = 0
        for _ in range(row):
            point = self._text.index("\n", point) + 1
        units = 0
        while units < column and not (clamp_column and self._text[point : point + 1] in "\n"):
            units += _utf16(self._text[point])
            point += 1
        return point

    def insert(self, edit: Edit, point: int, text: str) -> int:
        self.replace(edit, Region(point), text)
        return len(text)

    def erase(self, edit: Edit, region: Region) -> None:
        if not region.empty():
            self.replace(edit, region, "")

    def replace(self, edit: Edit, region: Region, text: str) -> None:
        """Change the text; the cursor goes along."""
        begin, end = region.begin(), region.end()
        self._changes.append(TextChange(self, region, text))
        self._text = self._text[:begin] + text + self._text[end:]
        self._change_count += 1
        moved = len(text) - (end - begin)
        for selected in self._selection:
            if selected.b >= end:
                selected.a = selected.b = selected.b + moved
            elif selected.b > begin:
                selected.a = selected.b = begin

    def run_command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run one of Sublime Text's own commands or of the package's; then tell what changed."""
        from sublime_plugin import text_commands

        if name == "insert":
            for region in self._selection:
                self.replace(Edit(), region, (arguments or {})["characters"])
        else:
            command = text_commands()[name](self)
            assert command.is_enabled()
            command.run(Edit(), **(arguments or {}))
        changes, self._changes = self._changes, []
        if changes and self.change_listener:
            self.change_listener.on_text_changed(changes)


class Window:
    """The window; it has one folder, with the file in it."""

    def __init__(self) -> None:
        self._panels: dict[str, View] = {}
        self._settings = Settings({})
        self.folder: Path | None = None
        self._views: list[View] = []

    def open_file(self, path: Path) -> View:
        self._views.append(View(self, path))
        return self._views[-1]

    def id(self) -> int:
        return 1

    def is_valid(self) -> bool:
        return True

    def settings(self) -> Settings:
        return self._settings

    def folders(self) -> list[str]:
        return [str(self.folder)] if self.folder else []

    def project_data(self) -> None: ...

    def extract_variables(self) -> dict[str, str]:
        return {"folder": str(self.folder)}

    def views(self) -> list[View]:
        return self._views

    def active_view(self) -> View | None:
        return self._views[-1] if self._views else None

    def active_group(self) -> int:
        return 0

    def active_panel(self) -> str | None:
        return None

    def find_output_panel(self, name: str) -> View | None:
        return self._panels.get(name)

    def create_output_panel(self, name: str) -> View:
        return self._panels.setdefault(name, View(self))

    def destroy_output_panel(self, name: str) -> None:
        self._panels.pop(name, None)

    def status_message(self, message: str) -> None:
        print(message)


_window = Window()
