"""Runs the LSP package on the stand-ins beside this file: `python host.py ARGUMENTS`.

ARGUMENTS are JSON: ``checkout`` of the package, ``settings`` a folder with the user's, ``file`` to
open, ``line`` from 1, at whose end is typed what ``typed`` has. Then the completion list is asked
for until there is an entry, it is taken, and the package is unloaded. Standard output is one JSON
object of what came of it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sublime
import sublime_plugin

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 120
"""Seconds that a busy machine may take to load the model."""


def stand_in(name: str, **attributes: object) -> None:
    """Another package's module, of which nothing is called here."""
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(attributes)


def load_package(checkout: Path) -> Any:  # noqa: ANN401
    """The package's `boot`, which Sublime Text loads."""
    stand_in("mdpopups", markdown=types.SimpleNamespace(__version__="3"))
    stand_in("sublime_api")
    stand_in("wcmatch")
    stand_in("wcmatch.glob", globmatch=None, BRACE=1, GLOBSTAR=2, IGNORECASE=4)
    stand_in("LSP", __path__=[str(checkout)])
    return importlib.import_module("LSP.boot")


def wait_for(condition: Callable[[], Any]) -> Any:  # noqa: ANN401
    """What a condition gives once it gives something."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)
    return found


class Typist:
    """Somebody who types into the file, and the package's listener that looks on."""

    def __init__(self, boot: Any, file: Path) -> None:  # noqa: ANN401
        self.view = sublime.active_window().open_file(file)
        self._changes = boot.TextChangeListener()
        self._changes.attach(self.view.buffer())
        self.listener = boot.DocumentSyncListener(self.view)
        sublime_plugin.view_event_listeners[self.view.id()] = [self.listener]
        sublime.set_timeout_async(self.listener.on_load_async)

    def go_to_end_of(self, line: int) -> None:
        rows = self.view.substr(sublime.Region(0, self.view.size())).split("\n")
        end = sum(len(row) + 1 for row in rows[:line]) - 1
        self.view.sel()[:] = [sublime.Region(end)]

    def type(self, text: str) -> None:
        for character in text:
            arguments = {"characters": character}
            sublime.on_main(lambda arguments=arguments: self._run("insert", arguments))

    def ask(self) -> sublime.CompletionList | None:
        """The completion list as it is now, asked for with its key; None if it is empty."""

        def ask() -> sublime.CompletionList | None:
            self.listener.on_text_command("auto_complete", None)
            point = self.view.sel()[0].b
            return self.listener.on_query_completions(self.view.word_before(point), [point])

        asked = sublime.on_main(ask)
        if asked is None:
            return None
        assert asked.filled.wait(PATIENCE)
        return asked if asked.items else None

    def take(self, item: sublime.CompletionItem) -> None:
        """Commit an entry as Sublime Text does."""
        assert item.completion_format == sublime.CompletionFormat.COMMAND
        name, arguments = item.completion.split(" ", 1)

        def take() -> None:
            if not item.flags & sublime.COMPLETION_FLAG_KEEP_PREFIX:
                point = self.view.sel()[0].b
                prefix = sublime.Region(point - len(self.view.word_before(point)), point)
                self.view.erase(sublime.Edit(), prefix)
            self._run(name, json.loads(arguments))

        sublime.on_main(take)

    def _run(self, command: str, arguments: dict[str, Any]) -> None:
        self.listener.on_text_command(command, arguments)
        self.view.run_command(command, arguments)
        self.listener.on_post_text_command(command, arguments)


def run(arguments: dict[str, Any], packages: Path) -> dict[str, Any]:
    checkout, file = Path(arguments["checkout"]), Path(arguments["file"])
    (packages / "LSP").symlink_to(checkout)
    sublime.folders.update(
        packages=packages, user=Path(arguments["settings"]), cache=packages.parent / "cache"
    )
    window = sublime.active_window()
    window.folder = file.parent
    boot = load_package(checkout)
    sublime.on_main(boot.plugin_loaded)
    typist = sublime.on_main(lambda: Typist(boot, file))
    manager = boot.windows.lookup(window)
    wait_for(lambda: typist.view.settings().get("lsp_active"))
    session = manager.get_session("midfill")
    process = session.transport._process
    told: dict[str, Any] = {
        "version": sys.modules["LSP.plugin.core.version"].__version__,
        "status": typist.view.get_status("lsp-status"),
        "command": process.args,
        "options": session.config.initialization_options.get(),
    }
    typist.go_to_end_of(arguments["line"])
    typist.type(arguments["typed"])
    shown = wait_for(typist.ask)
    told["entries"] = [vars(item) for item in shown.items]
    told["prefix"] = typist.view.word_before(typist.view.sel()[0].b)
    typist.take(shown.items[0])
    told["text"] = typist.view.substr(sublime.Region(0, typist.view.size()))
    typist.ask()  # what was taken is told first
    sublime.on_main(boot.plugin_unloaded)
    told["exit"] = process.wait(PATIENCE)
    for _ in range(2):  # the worker gives its part of the log to the main thread
        sublime.on_worker(lambda: None)
        sublime.on_main(lambda: None)
    told["log"] = manager.get_and_clear_server_log()
    return told


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    console = io.StringIO()
    folder = Path(given["packages"])
    folder.mkdir(exist_ok=True)
    try:
        with contextlib.redirect_stdout(console):
            came = run(given, folder)
    except Exception:
        print(console.getvalue(), file=sys.stderr)
        raise
    print(json.dumps({**came, "console": console.getvalue()}))
