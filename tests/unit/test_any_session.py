"""Whatever an editor does, in any order: its text is known, every question gets one answer, no
suggestion is stale, and nothing is left over."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shutil
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import unquote

import known_session_faults as faults
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from reachable_text import reachable_matches
from scripted_engine import Plan
from session_rules import NAMES, PATTERNS, Exclusions, language_of
from simulated_editor import MARKER, Offer, Overheard, Question, Shown, SimulatedEditor
from virtual_time import VirtualTimeLoop

from midfill.inference.wire import EngineState, Stop
from midfill.lsp.acceptance.journal import Journal
from midfill.lsp.suggestions import Suggestions

if TYPE_CHECKING:
    from collections.abc import Mapping

STEPS = 60

LONG_ENOUGH = 65.0
"""Seconds after which nothing that was begun may still go on."""

PIECES = (
    "\n",
    "\r\n",
    "\r",
    "\u2028",
    "\x0c",
    "\ud83d",
    "\ude00",
    "😀",
    "e\u0301",
    "汉",
    "\t",
    " ",
)
CODE = (
    "x = ",
    "def f(a):\n    ",
    "value",
    "value(1)",
    "(",
    ")",
    "...",
    "# TODO: it\n",
    "'''",
    "___",
)
LINES = ("\n", "\r\n", "x = ", "value = f(", "def f(a):\n    ", "return ", "word")
TEXTS = st.lists(st.sampled_from(PIECES + CODE) | st.text(max_size=3), max_size=5).map("".join)
KEYS = st.sampled_from(("a", "(", " ", "\n", "v", ".", "😀"))
PLACES = st.integers(0, 2**16)
EDITS = st.lists(st.tuples(PLACES, PLACES, TEXTS), min_size=1, max_size=3)

FILLS = st.sampled_from(
    (
        "value(1)",
        "value(1)\n    return value",
        "word",
        " beta + 1",
        "汉 = '😀'",
        ")",
        "",
        "  ",
        "x = 1\nx = 1\nx = 1\nx = 1\n",
        "<|endoftext|>",
        "tail   \n\n",
    )
)
PLANS = st.builds(
    Plan,
    texts=st.lists(FILLS, min_size=1, max_size=3).map(tuple),
    seconds=st.sampled_from((0.0, 0.01, 0.2, 3.0)),
    drafts=st.integers(0, 3),
    ending=st.sampled_from(("final",) * 6 + ("busy", "broken", "nothing", "hangs")),
    confidence=st.sampled_from((0.0, 0.3, 1.0)),
    stop=st.sampled_from((Stop.LINE_END, Stop.DEADLINE)),
)

SOME_PATTERNS = st.lists(st.sampled_from(PATTERNS), max_size=2)
NONSENSE = st.sampled_from((None, 3, "x", [], {}, -1, [3, "*.py"], 1e999, True, {"a": {"b": 1}}))
SETTINGS: Mapping[str, st.SearchStrategy[Any]] = {
    "enabled": st.sampled_from((True,) * 7 + (False,)),
    "mode": st.sampled_from(("eager", "eager", "eager", "subtle", "manual")),
    "minimumConfidence": st.sampled_from((0, 0, 0, 0.2, 1)),
    "delay": st.sampled_from(("adaptive", 0, 50, 2000)),
    "multiline": st.sampled_from(("auto", "never", "always")),
    "comments": st.booleans(),
    "strings": st.booleans(),
    "readAhead": st.booleans(),
    "maximumTokens": st.sampled_from((1, 512)),
    "contextTokens": st.sampled_from((0, 300, 1024)),
    "contextClipboard": st.booleans(),
    "exclude": SOME_PATTERNS,
    "include": st.lists(st.sampled_from((".env", "*.key", "c.txt")), max_size=2),
    "statistics": st.booleans(),
    "languages": st.fixed_dictionaries({"python": st.just({"mode": "manual"}) | NONSENSE}),
    "modee": NONSENSE,
}
RIGHT = st.fixed_dictionaries({}, optional=SETTINGS)
WRONG = st.fixed_dictionaries(
    {}, optional={name: strategy | NONSENSE for name, strategy in SETTINGS.items()}
)
USUAL = st.just({"minimumConfidence": 0, "delay": 0}) | st.just({"contextTokens": 300})
ANY_SETTINGS = RIGHT | WRONG | NONSENSE

THEN = st.sampled_from((None, None, None, 0, 1, 3, 0.05, 0.4, 2.5))
"""What happens behind a message: all that can without waiting, some turns, or seconds."""


class Session(RuleBasedStateMachine):
    """One editor window from its opening to its closing."""

    def __init__(self) -> None:
        super().__init__()
        self.clean_up = ExitStack()
        self.numbers = itertools.count(1)
        self.exclusions = Exclusions()
        self.doubtful: set[str] = set()
        self.home = Path(tempfile.mkdtemp(prefix="midfill-"))
        self.clean_up.callback(shutil.rmtree, self.home)
        self.clean_up.callback(wait_for_history)
        self.folder = self.home / "workspace"
        self.folder.mkdir()
        self.loop = VirtualTimeLoop()
        asyncio.set_event_loop(self.loop)
        self.clean_up.callback(asyncio.set_event_loop, None)
        self.clean_up.callback(self.loop.close)
        self.clean_up.callback(self.cancel_everything)
        self.overheard = Overheard()
        for name in ("midfill", "pygls", "asyncio"):
            logger = logging.getLogger(name)
            logger.addHandler(self.overheard)
            self.clean_up.callback(logger.removeHandler, self.overheard)

    # The session's beginning and end

    @initialize(
        encoding=st.sampled_from(("utf-16", "utf-8", "utf-32")),
        turns_to_read=st.integers(1, 3),
        asks=st.booleans(),
        options=USUAL | USUAL | ANY_SETTINGS,
        completion=st.booleans(),
        statistics=st.integers(0, 3),
        then=THEN,
    )
    def begin(
        self,
        encoding: str,
        turns_to_read: int,
        asks: bool,
        options: Any,  # noqa: ANN401
        completion: bool,
        statistics: int,
        then: float | None,
    ) -> None:
        if isinstance(options, dict):
            options = {"completion": completion, "statistics": not statistics} | options
        self.editor = SimulatedEditor(encoding, turns_to_read)
        self.asks = asks
        self.exclusions = self.exclusions.begun_with(options)
        self.completes = isinstance(options, dict) and options.get("completion") is True
        now = self.loop.time
        seams: dict[str, Any] = {
            "midfill.lsp.engine_link.EngineLink": self.editor.engine.link,
            "midfill.lsp.suggestions.Suggestions": partial(Suggestions, clock=now),
            "midfill.lsp.acceptance.journal.Journal": partial(Journal, clock=now, wall_clock=now),
        }
        for name, seam in seams.items():
            self.clean_up.enter_context(patch(name, seam))
        self.clean_up.enter_context(
            patch.dict(os.environ, {"MIDFILL_STATE_DIR": str(self.home / "state")})
        )
        self.stop = threading.Event()
        self.serving = self.loop.create_task(self.editor.serve(self.stop))
        capabilities = {
            "general": {"positionEncodings": [encoding]},
            "window": {"workDoneProgress": True},
            "workspace": {
                "configuration": asks,
                "didChangeWatchedFiles": {"dynamicRegistration": True},
            },
        }
        folder = {"uri": self.folder.as_uri(), "name": "workspace"}
        parameters: dict[str, Any] = {"processId": None, "rootUri": None}
        parameters |= {"capabilities": capabilities, "workspaceFolders": [folder]}
        if options is not None:
            parameters["initializationOptions"] = options
        self.editor.request("initialize", parameters)
        self.go_on(None)
        self.editor.notify("initialized", {})
        self.go_on(then)

    def teardown(self) -> None:
        try:
            if hasattr(self, "editor"):
                self.everything_comes_to_rest()
                self.nothing_is_kept_of_what_is_gone()
                self.the_window_closes()
        finally:
            self.clean_up.close()

    def cancel_everything(self) -> None:
        """What a session that failed leaves must not be found by the next one."""
        if hasattr(self, "editor") and (journal := self.editor.server.journal):
            journal.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.run_until_complete(self.loop.settle())

    def the_window_closes(self) -> None:
        self.editor.request("shutdown", None)
        self.go_on(2.5)
        assert not self.editor.window.pending
        assert self.editor.engine.closed or self.editor.server.link is None
        self.editor.incoming.end()
        self.loop.run_until_complete(self.serving)
        self.loop.run_until_complete(self.loop.settle())
        assert not asyncio.all_tasks(self.loop)
        self.no_fault_was_found()

    def go_on(self, then: float | None) -> None:
        """Let the server do all it can at once, some turns of its loop, or so many seconds."""
        if then is None:
            self.loop.run_until_complete(self.loop.settle())
        elif isinstance(then, int):
            for _ in range(then):
                self.loop.run_until_complete(asyncio.sleep(0))
        else:
            self.loop.run_until_complete(asyncio.sleep(then))
            self.loop.run_until_complete(self.loop.settle())

    # What holds at any time

    @invariant()
    def no_fault_was_found(self) -> None:
        if hasattr(self, "editor"):
            assert not self.editor.faults, self.editor.faults[0]
        assert not self.overheard.errors, self.overheard.errors[0]
        assert not self.overheard.leaks, self.overheard.leaks[0]

    @invariant()
    def the_store_has_what_the_editor_has(self) -> None:
        if not hasattr(self, "editor") or not self.editor.incoming.handled:
            return
        store = self.editor.server.documents
        stored = dict(store.text_documents)
        for uri, shown in self.editor.handled.items():
            document = stored.pop(unquote(uri), None)
            if shown.hidden or (uri in self.doubtful and document is None):
                assert document is None
                continue
            assert document is not None
            assert document.source == str(shown.text)
            assert document.version == shown.version
            assert "".join(document.lines) == document.source
            assert len(document.lines) == len(shown.text.lines())
        assert not stored

    def everything_comes_to_rest(self) -> None:
        """With the engine's and the editor's answers, and time, nothing is left to do."""
        editor = self.editor
        self.go_on(None)
        if editor.server.link:
            self.loop.call_soon(editor.engine.be, EngineState.READY)
        for _ in range(4):
            while editor.window.asked_for_settings:
                editor.refuse(editor.window.asked_for_settings.pop())
            while editor.window.wanted_edits:
                editor.refuse_edit()
            editor.engine.release()
            self.go_on(LONG_ENOUGH)
        self.no_fault_was_found()
        self.the_store_has_what_the_editor_has()
        assert not editor.window.pending, "a question without an answer"
        assert not editor.engine.running, "the engine works for nobody"
        assert asyncio.all_tasks(self.loop) == {self.serving}
        self.only_open_documents_are_remembered()

    def only_open_documents_are_remembered(self) -> None:
        server = self.editor.server
        uris = {uri for uri, shown in self.editor.handled.items() if not shown.hidden}
        uris |= self.doubtful
        protocol = server.protocol
        assert not protocol._request_futures
        assert not protocol._result_types
        if suggestions := server.suggestions:
            assert not suggestions._running._running
            assert set(suggestions._ahead._running) <= uris
            assert {key[0] for key in suggestions._cache._entries} <= uris
            assert set(suggestions._silences) <= uris
        if journal := server.journal:
            tracker = journal._tracker
            assert set(tracker._live) <= uris
            assert not tracker._ended
            assert {one.offer.uri for one in tracker._by_id.values()} <= uris
        timers = [repr(timer) for timer in self.loop.timers]
        snoozes = [timer for timer in timers if "tell_activity" in timer]
        assert len(timers) == len(snoozes)
        assert len(snoozes) <= 1

    def nothing_is_kept_of_what_is_gone(self) -> None:
        """No text of documents that are closed or hidden can be reached from the server."""
        editor = self.editor
        besides = [editor, self, self.loop, editor.engine, self.serving]
        found = reachable_matches(editor.server, MARKER, besides)
        kept = {
            marker: way
            for marker, way in found.items()
            if marker in editor.hidden
            and not (faults.EXPIRED_SUGGESTIONS_STAY and "SuggestionCache" in way)
        }
        assert not kept, f"text of a hidden document is kept: {kept}"

    # Documents

    @rule(name=st.sampled_from(NAMES), body=TEXTS, then=THEN)
    def open(self, name: str, body: str, then: float | None) -> None:
        self.go_on(None)  # what is excluded is known by now
        editor, uri = self.editor, self.uri(name)
        hidden = self.exclusions.hide(name)
        marker = f"m4rk{next(self.numbers):05}"
        comment = "//" if name.endswith(".js") else "#"
        text = self.sayable(f"{comment} {marker}{body}")
        self.doubtful.discard(uri)
        editor.open(uri, language_of(name), marker, text, hidden=hidden)
        if hidden:
            editor.hidden.add(marker)
        self.go_on(then)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, then=THEN)
    def close(self, number: int, then: float | None) -> None:
        shown = self.one_of_the_documents(number)
        self.doubtful.discard(shown.uri)
        self.editor.close(shown.uri)
        self.go_on(then)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, edits=EDITS, then=THEN)
    def edit(self, number: int, edits: list[tuple[int, int, str]], then: float | None) -> None:
        shown = self.one_of_the_documents(number)
        text, made = shown.text, []
        for one, other, new in edits:
            new = self.sayable(new)
            places = [at for at in text.places() if at >= shown.head]
            start, end = sorted((places[one % len(places)], places[other % len(places)]))
            made.append((start, end, new))
            text = text.with_edit(start, end, new)
        self.editor.change(shown.uri, made)
        self.touched(shown.uri)
        self.go_on(then)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, keys=st.lists(KEYS, min_size=1, max_size=4), pause=THEN, ask=st.booleans())
    def type_at_the_end(self, number: int, keys: list[str], pause: float | None, ask: bool) -> None:
        uri = self.one_of_the_documents(number).uri
        self.touched(uri)
        for key in keys:
            text = self.editor.window.documents[uri].text
            end = len(text.units)
            self.editor.change(uri, [(end, end, key)])
            if ask:
                text = self.editor.window.documents[uri].text
                self.editor.ask(uri, text.position(len(text.units)))
            self.go_on(pause)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, body=TEXTS, then=THEN)
    def replace_all(self, number: int, body: str, then: float | None) -> None:
        shown = self.one_of_the_documents(number)
        self.editor.replace_all(shown.uri, self.sayable(f"# {shown.marker}{body}"))
        self.touched(shown.uri)
        self.go_on(then)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, name=st.sampled_from(NAMES[:-1]), then=THEN)
    def rename(self, number: int, name: str, then: float | None) -> None:
        self.go_on(None)
        shown = self.one_of_the_documents(number)
        files = [{"oldUri": shown.uri, "newUri": self.uri(name)}]
        self.editor.notify("workspace/didRenameFiles", {"files": files})
        self.go_on(None)
        if shown.uri not in self.doubtful and self.exclusions.hide(name):
            self.hide(shown)
        self.look_again(at_files=True)
        self.go_on(then)

    # Questions

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, place=PLACES, invoked=st.booleans(), then=THEN)
    def ask(self, number: int, place: int, invoked: bool, then: float | None) -> None:
        shown = self.one_of_the_documents(number)
        places = [at for at in shown.text.places() if at >= shown.head]
        position = shown.text.position(places[place % len(places)])
        self.editor.ask(shown.uri, position, invoked=invoked)
        self.touched(shown.uri)
        self.go_on(then)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, invoked=st.booleans(), times=st.integers(1, 3), then=THEN)
    def ask_at_the_end(self, number: int, invoked: bool, times: int, then: float | None) -> None:
        shown = self.one_of_the_documents(number)
        for _ in range(times):
            position = shown.text.position(len(shown.text.units))
            self.editor.ask(shown.uri, position, invoked=invoked)
        self.touched(shown.uri)
        self.go_on(then)

    @rule(
        name=st.sampled_from(NAMES),
        line=st.sampled_from((0, 1, 2, 99, 2**31 - 1)),
        character=st.sampled_from((7, 9999, 2**31 - 1)),
        then=THEN,
    )
    def ask_anywhere(self, name: str, line: int, character: int, then: float | None) -> None:
        self.editor.ask(self.uri(name), {"line": line, "character": character})
        self.touched(self.uri(name))
        self.go_on(then)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, length=st.integers(0, 3), entry=st.sampled_from(("", "val", "a\nb")))
    def ask_with_a_popup(self, number: int, length: int, entry: str) -> None:
        shown = self.one_of_the_documents(number)
        places = [at for at in shown.text.places() if at >= shown.head]
        end = places[-1]
        start = places[max(-1 - length, -len(places))]
        where = {"start": shown.text.position(start), "end": shown.text.position(end)}
        popup = {"range": where, "text": entry}
        self.editor.ask(shown.uri, where["end"], popup=popup)
        self.touched(shown.uri)
        self.go_on(None)

    @precondition(lambda self: self.completes and self.editor.window.documents)
    @rule(number=PLACES, then=THEN)
    def ask_for_completion(self, number: int, then: float | None) -> None:
        shown = self.one_of_the_documents(number)
        position = shown.text.position(len(shown.text.units))
        self.editor.ask_for_completion(shown.uri, position)
        self.touched(shown.uri)
        self.go_on(then)

    @precondition(lambda self: self.editor.window.pending)
    @rule(number=PLACES, then=THEN)
    def cancel(self, number: int, then: float | None) -> None:
        pending = [*self.editor.window.pending]
        self.editor.cancel(pending[number % len(pending)])
        self.go_on(then)

    @rule(request=st.integers(1, 50))
    def cancel_what_is_answered_perhaps(self, request: int) -> None:
        if isinstance(self.editor.window.pending.get(request, Question), Question | type):
            self.editor.cancel(request)

    # Suggestions

    @precondition(lambda self: self.offers)
    @rule(number=PLACES, tells=st.booleans(), then=THEN)
    def accept(self, number: int, tells: bool, then: float | None) -> None:
        offer = self.offers[number % len(self.offers)]
        uri = offer.shown.uri
        self.editor.change(uri, [(offer.start, offer.end, offer.text)])
        if tells and offer.command:
            self.run_command(offer.command["command"], *offer.command["arguments"])
        self.ask_behind(uri, offer.start, offer.text)
        self.touched(uri)
        self.go_on(then)

    @precondition(lambda self: self.offers)
    @rule(number=PLACES, length=st.integers(1, 4), then=THEN)
    def type_through(self, number: int, length: int, then: float | None) -> None:
        offer = self.offers[number % len(self.offers)]
        uri = offer.shown.uri
        for key in offer.text[:length]:
            start = offer.start
            self.editor.change(uri, [(start, offer.end, key)])
            self.ask_behind(uri, start, key)
            self.go_on(then)
            self.touched(uri)
            if not (again := self.editor.window.offers.get(uri)) or again not in self.offers:
                break
            offer = again

    @rule(
        name=st.sampled_from(NAMES[:4]),
        lines=st.lists(st.sampled_from(LINES), min_size=1, max_size=3),
        plan=st.none() | PLANS,
        then=THEN,
    )
    def write(self, name: str, lines: list[str], plan: Plan | None, then: float | None) -> None:
        """What is done most: to write code at the end, and look at what is suggested."""
        editor, uri = self.editor, self.uri(name)
        if uri not in editor.window.documents:
            self.open(name, "\n", None)
        if plan and plan.ending == "final" and plan.texts[0].strip():
            self.loop.call_soon(editor.engine.be, EngineState.READY)
            editor.engine.plans.clear()
            editor.engine.plan = plan
        for line in lines:
            end = len(editor.window.documents[uri].text.units)
            editor.change(uri, [(end, end, line)])
        text = editor.window.documents[uri].text
        editor.ask(uri, text.position(len(text.units)))
        self.touched(uri)
        self.go_on(then)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES, one=PLACES, other=PLACES, cancel=st.booleans(), then=THEN)
    def fill(self, number: int, one: int, other: int, cancel: bool, then: float | None) -> None:
        shown = self.one_of_the_documents(number)
        places = [at for at in shown.text.places() if at >= shown.head]
        start, end = sorted((places[one % len(places)], places[other % len(places)]))
        request = self.editor.fill(shown.uri, start, end)
        self.touched(shown.uri)
        self.go_on(then)
        if cancel:
            self.editor.cancel(request)
            self.go_on(then)

    @precondition(lambda self: self.editor.window.wanted_edits)
    @rule(then=THEN)
    def make_an_edit(self, then: float | None) -> None:
        self.editor.make_edit()
        self.go_on(then)

    # What else a user does

    @rule(settings=ANY_SETTINGS, bare=st.booleans(), then=THEN)
    def configure(self, settings: Any, bare: bool, then: float | None) -> None:  # noqa: ANN401
        said: Any = settings if bare else {"midfill": settings}
        self.editor.notify("workspace/didChangeConfiguration", {"settings": said})
        self.go_on(None)
        if not self.asks and isinstance(said, dict):
            self.exclusions = self.exclusions.told(said.get("midfill"))
            self.look_again()
        self.go_on(then)

    @precondition(lambda self: self.editor.window.asked_for_settings)
    @rule(
        settings=ANY_SETTINGS,
        in_folder=ANY_SETTINGS,
        way=st.sampled_from(("well",) * 4 + ("refused", "nonsense", "too few")),
    )
    def tell_settings(self, settings: Any, in_folder: Any, way: str) -> None:  # noqa: ANN401
        message = self.editor.window.asked_for_settings.pop(0)
        if way == "refused":
            self.editor.refuse(message)
        elif way == "nonsense":
            self.editor.answer(message, {"midfill": settings})
        elif way == "too few":
            self.editor.answer(message, [])
        else:
            self.editor.answer(message, [settings, in_folder])
        self.go_on(None)
        if way == "well":
            self.exclusions = self.exclusions.told(settings)
            self.look_again()

    @rule(patterns=SOME_PATTERNS, told=st.sampled_from(("watched", "saved", "")), then=THEN)
    def ignore(self, patterns: list[str], told: str, then: float | None) -> None:
        self.go_on(None)
        path = self.folder / ".midfillignore"
        path.write_text("".join(f"{line}\n" for line in (*patterns, f"# {next(self.numbers)}")))
        os.utime(path, ns=(0, next(self.numbers)))
        self.exclusions = replace(self.exclusions, ignored=tuple(patterns))
        change = {"uri": path.as_uri(), "type": 2}
        if told == "watched":
            self.editor.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
        elif told == "saved":
            self.editor.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})
        self.go_on(None)
        if told:
            self.look_again(at_files=True)
        else:
            self.doubtful |= {
                uri
                for uri, shown in self.editor.window.documents.items()
                if not shown.hidden and self.exclusions.hide(self.name(uri))
            }
        self.go_on(then)

    @rule(
        command=st.sampled_from(
            (
                ("midfill.explain",),
                ("midfill.snooze",),
                ("midfill.snooze", 0.1),
                ("midfill.snooze", "long"),
                ("midfill.resume",),
                ("midfill.accepted", "nobody"),
            )
        )
    )
    def run(self, command: tuple[Any, ...]) -> None:
        self.run_command(*command)

    @precondition(lambda self: self.editor.window.documents)
    @rule(number=PLACES)
    def copy(self, number: int) -> None:
        self.go_on(None)
        shown = self.one_of_the_documents(number)
        self.editor.notify("midfill/didCopy", {"uri": shown.uri, "text": str(shown.text)[:80]})

    # The engine, and time

    @rule(plans=st.lists(PLANS, min_size=1, max_size=4))
    def plan(self, plans: list[Plan]) -> None:
        self.editor.engine.plans.extend(plans)

    @precondition(lambda self: self.editor.server.link)
    @rule(state=st.sampled_from(EngineState), then=THEN)
    def the_engine_crashes(self, state: EngineState, then: float | None) -> None:
        self.loop.call_soon(self.editor.engine.crash)
        self.loop.call_soon(self.editor.engine.be, state)
        self.go_on(then)

    @precondition(lambda self: self.editor.server.link)
    @rule(then=THEN)
    def the_engine_comes_back(self, then: float | None) -> None:
        self.loop.call_soon(self.editor.engine.be, EngineState.READY)
        self.go_on(then)

    @rule()
    def the_engine_goes_on(self) -> None:
        self.editor.engine.release()
        self.go_on(None)

    @rule(then=THEN)
    def time_passes(self, then: float | None) -> None:
        self.go_on(then)

    @rule()
    def rest(self) -> None:
        self.everything_comes_to_rest()

    # Helpers

    @property
    def offers(self) -> list[Offer]:
        """What is on the screen: suggestions whose documents are as they were."""
        window = self.editor.window
        return [
            offer
            for uri, offer in window.offers.items()
            if (shown := window.documents.get(uri)) is not None
            and (shown.version, shown.marker) == (offer.shown.version, offer.shown.marker)
        ]

    def sayable(self, text: str) -> str:
        """Text without halves of characters where an editor does not count in such."""
        if self.editor.encoding == "utf-16":
            return text
        return text.encode("utf-8", "ignore").decode()

    def one_of_the_documents(self, number: int) -> Shown:
        shown = [*self.editor.window.documents.values()]
        return shown[number % len(shown)]

    def ask_behind(self, uri: str, start: int, inserted: str) -> None:
        text = self.editor.window.documents[uri].text
        end = start + len(text.of(inserted, text.encoding).units)
        self.editor.ask(uri, text.position(end))

    def run_command(self, command: str, *arguments: object) -> None:
        parameters = {"command": command, "arguments": [*arguments]}
        self.editor.request("workspace/executeCommand", parameters, command)
        self.go_on(None)

    def uri(self, name: str) -> str:
        return f"untitled:{name}" if name == "Untitled-1" else (self.folder / name).as_uri()

    def name(self, uri: str) -> str:
        return uri.removeprefix("untitled:").removeprefix(f"{self.folder.as_uri()}/")

    def hide(self, shown: Shown) -> None:
        self.editor.hide(shown.uri)
        self.editor.hidden.add(shown.marker)
        self.doubtful.discard(shown.uri)

    def look_again(self, *, at_files: bool = False) -> None:
        """Once all messages are handled, the server knows what is excluded.

        Args:
            at_files: it was told to look at ignore files, too.
        """
        for uri, shown in [*self.editor.window.documents.items()]:
            known = at_files or uri not in self.doubtful
            if known and not shown.hidden and self.exclusions.hide(self.name(uri)):
                self.hide(shown)

    def touched(self, uri: str) -> None:
        """Once a message about a document is handled, the server knows if it is excluded."""
        shown = self.editor.window.documents.get(uri)
        if shown and uri in self.doubtful:
            self.go_on(None)
            if self.exclusions.hide(self.name(uri)):
                self.hide(shown)


def wait_for_history() -> None:
    """What records suggestions goes on for a moment after it was switched off."""
    for thread in threading.enumerate():
        if thread.name == "history":
            thread.join()


def test_any_session() -> None:
    run_state_machine_as_test(Session, settings=settings(stateful_step_count=STEPS))
