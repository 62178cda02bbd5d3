"""An editor window in the same process as its server: what it has, says and hears.

It keeps its own documents, and checks every answer at the moment at which the server sends it.
"""

from __future__ import annotations

import logging
import re
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import known_session_faults as faults
from edited_text import EditedText
from message_pipe import Incoming, Message, Outgoing
from pygls.io_ import run_async
from scripted_engine import ScriptedEngine

from midfill.lsp.language_server import create_server
from midfill.lsp.quiet_logging import QuietFormatter

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from midfill.inference.wire import InfillRequest
    from midfill.lsp.midfill_server import MidfillServer

REQUEST_CANCELLED = -32800

MARKER = re.compile(r"m4rk\d{5}")
"""Stands at the beginning of every document, where nothing is edited: it tells whose text it is."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A document as the editor shows it.

    Attributes:
        hidden: it is excluded, or was when it was opened, so that nothing may be seen of it.
    """

    uri: str
    marker: str
    text: EditedText
    version: int = 1
    hidden: bool = False

    @property
    def head(self) -> int:
        """Where edits may begin."""
        return self.text.units.index(self.marker) + len(self.marker)


@dataclass(frozen=True, slots=True)
class Question:
    """A request for suggestions."""

    shown: Shown | None
    uri: str
    position: Message
    popup: Message | None
    invoked: bool
    inline: bool = True


@dataclass(frozen=True, slots=True)
class Filling:
    """A command that fills a range in place.

    Attributes:
        selected: what the range has, in units.
    """

    uri: str
    selected: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A suggestion that can be taken while its document is as it was."""

    shown: Shown
    start: int
    end: int
    text: str
    command: Message | None


@dataclass(slots=True)
class Window:
    """What the editor has; the parts that tests look at."""

    documents: dict[str, Shown] = field(default_factory=dict)
    pending: dict[int, Question | Filling | str] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    asked_for_settings: list[Message] = field(default_factory=list)
    wanted_edits: list[tuple[Message, Shown | None]] = field(default_factory=list)
    answers: int = 0
    suggestions: int = 0
    messages: list[str] = field(default_factory=list)


class SimulatedEditor:
    """One window. Belongs to the event loop that is set.

    Attributes:
        hidden: markers of documents whose text must not be seen any more by now.
        faults: what the server did wrong; it would swallow an exception.
    """

    def __init__(self, encoding: str, turns_to_read: int) -> None:
        """Args: turns_to_read: see `Incoming`."""
        self.encoding = encoding
        self.window = Window()
        self.hidden: set[str] = set()
        self.server: MidfillServer = create_server()
        self.incoming = Incoming(turns_to_read)
        self.server.protocol.set_writer(Outgoing(self._hear_all))
        self.engine = ScriptedEngine(self._look)
        self.faults: list[str] = []
        self._ids = 0
        # The documents after each message, as far as a request may be about them.
        self._states: list[Mapping[str, Shown]] = [{}]

    async def serve(self, stop: threading.Event) -> None:
        """Have the server read messages until there are no more, as it does in its own process."""
        await run_async(
            stop, self.incoming, self.server.protocol, None, self.server.report_server_error
        )

    @property
    def handled(self) -> Mapping[str, Shown]:
        """The documents as the server has to know them by now."""
        return self._states[self.incoming.handled]

    @property
    def all_handled(self) -> bool:
        return self.incoming.handled == self.incoming.sent

    # What the editor says

    def notify(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: object, question: Question | Filling | str = "") -> int:
        """Ask something; the answer is counted and looked at when it comes."""
        self._ids += 1
        self.window.pending[self._ids] = question or method
        self._send({"id": self._ids, "method": method, "params": params})
        return self._ids

    def cancel(self, request: int) -> None:
        self.notify("$/cancelRequest", {"id": request})

    def answer(self, message: Message, result: object) -> None:
        """Answer a request of the server's."""
        self._send({"id": message["id"], "result": result})

    def refuse(self, message: Message) -> None:
        error = {"code": -32603, "message": "not now"}
        self._send({"id": message["id"], "error": error})

    def open(self, uri: str, language: str, marker: str, text: str, *, hidden: bool) -> None:
        """Open a document, also one that is open."""
        shown = Shown(uri, marker, EditedText.of(text, self.encoding), hidden=hidden)
        self.window.documents[uri] = shown
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def close(self, uri: str) -> None:
        del self.window.documents[uri]
        self.window.offers.pop(uri, None)
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def change(self, uri: str, edits: list[tuple[int, int, str]]) -> None:
        """Make edits one after the other, and tell of them together; places are in units."""
        shown = self.window.documents[uri]
        text, changes = shown.text, []
        for start, end, new in edits:
            where = {"start": text.position(start), "end": text.position(end)}
            changes.append({"range": where, "text": new})
            text = text.with_edit(start, end, new)
        self._changed(replace(shown, text=text, version=shown.version + 1), changes)

    def replace_all(self, uri: str, text: str) -> None:
        shown = self.window.documents[uri]
        new = replace(shown, text=EditedText.of(text, self.encoding), version=shown.version + 1)
        self._changed(new, [{"text": text}])

    def ask(
        self, uri: str, position: Message, *, invoked: bool = False, popup: Message | None = None
    ) -> int:
        """Ask for an inline completion."""
        context: Message = {"triggerKind": 1 if invoked else 2}
        if popup:
            context["selectedCompletionInfo"] = popup
        question = Question(self.window.documents.get(uri), uri, position, popup, invoked)
        return self.request(
            "textDocument/inlineCompletion",
            {"textDocument": {"uri": uri}, "position": position, "context": context},
            question,
        )

    def ask_for_completion(self, uri: str, position: Message) -> int:
        question = Question(
            self.window.documents.get(uri), uri, position, None, invoked=False, inline=False
        )
        return self.request(
            "textDocument/completion",
            {"textDocument": {"uri": uri}, "position": position},
            question,
        )

    def fill(self, uri: str, start: int, end: int) -> int:
        """Have a range filled in place."""
        text = self.window.documents[uri].text
        where = {"start": text.position(start), "end": text.position(end)}
        parameters = {"command": "midfill.fillRange", "arguments": [uri, where]}
        filling = Filling(uri, text.units[start:end])
        return self.request("workspace/executeCommand", parameters, filling)

    def make_edit(self) -> None:
        """Make the edit that the server has asked for first, if its document is as it was then."""
        message, wanted = self.window.wanted_edits.pop(0)
        [(uri, edits)] = message["params"]["edit"]["changes"].items()
        made = wanted is not None and self.window.documents.get(uri) == wanted
        self.answer(message, {"applied": made})
        if wanted is not None and made:
            place = wanted.text.place
            changes = [
                (place(edit["range"]["start"]), place(edit["range"]["end"]), edit["newText"])
                for edit in edits
            ]
            self.change(uri, changes[::-1])

    def refuse_edit(self) -> None:
        self.answer(self.window.wanted_edits.pop(0)[0], {"applied": False})

    def hide(self, uri: str) -> None:
        """The server knows by the next message that nothing may be seen of a document."""
        if shown := self.window.documents.get(uri):
            self.window.documents[uri] = replace(shown, hidden=True)
            self._states[-1] = dict(self.window.documents)

    # What the editor hears

    def _hear_all(self, message: Message) -> None:
        with self._noted():
            self._hear(message)

    def _hear(self, message: Message) -> None:
        if "method" not in message:
            self._hear_answer(message)
        elif "id" in message:
            self._hear_request(message)
        elif message["method"] == "window/showMessage":
            self.window.messages.append(message["params"]["message"])

    def _hear_request(self, message: Message) -> None:
        match message["method"]:
            case "workspace/configuration":
                self.window.asked_for_settings.append(message)
            case "client/registerCapability" | "window/workDoneProgress/create":
                self.answer(message, None)
            case "workspace/applyEdit":
                [uri] = message["params"]["edit"]["changes"]
                self.window.wanted_edits.append((message, self.handled.get(uri)))
                self._look_at_edit(message["params"]["edit"])
            case other:
                raise AssertionError(f"the server asks for {other}")

    def _hear_answer(self, message: Message) -> None:
        assert message["id"] in self.window.pending, "answered twice, or never asked"
        question = self.window.pending.pop(message["id"])
        self.window.answers += 1
        if "error" in message:
            code = message["error"]["code"]
            assert code == REQUEST_CANCELLED, f"an error with the code {code}"
        elif isinstance(question, Question) and message["result"] is not None:
            items = message["result"]["items"]
            assert len(items) <= (3 if question.invoked else 1)
            assert len({str(item.get("insertText")) for item in items}) == len(items) or (
                not question.inline
            )
            for item in items:
                self._look_at_item(question, item)

    def _look_at_item(self, question: Question, item: Message) -> None:
        """An item is for the text that was asked about, which the server has still."""
        shown = question.shown
        assert shown is not None, "a suggestion in a document that is not open"
        assert shown == self.handled.get(question.uri), "a suggestion that is stale"
        assert not shown.hidden, "a suggestion in a document that must not be seen"
        assert shown.marker not in self.hidden, "a suggestion in a document that is hidden by now"
        edit = item if question.inline else item["textEdit"]
        start, end = (shown.text.place(edit["range"][side]) for side in ("start", "end"))
        assert start <= end
        assert edit["range"]["start"]["line"] == edit["range"]["end"]["line"]
        text = item["insertText"] if question.inline else edit["newText"]
        assert text.strip()
        units = shown.text.units
        if question.inline:
            self._look_at_place(question, shown, start, end)
        self._look_at_text(units[:start], text, units[end:])
        self.window.suggestions += 1
        if question.inline:
            offer = Offer(shown, start, end, text, item.get("command"))
            self.window.offers[question.uri] = offer

    def _look_at_edit(self, edit: Message) -> None:
        """An edit is one that somebody waits for, and replaces what had been selected."""
        [(uri, changes)] = edit["changes"].items()
        fillings = [one for one in self.window.pending.values() if isinstance(one, Filling)]
        shown = self.handled.get(uri)
        assert shown is not None, "an edit of a document that is closed by now"
        assert not shown.hidden, "an edit of a document that must not be seen"
        for change in changes:
            start, end = (shown.text.place(change["range"][side]) for side in ("start", "end"))
            selected = shown.text.units[start:end]
            waited_for = Filling(uri, selected) in fillings
            assert waited_for or faults.CANCELLED_COMMANDS_GO_ON, "an edit that nobody waits for"
            assert any(plain(change["newText"]) == plain(one.text) for one in self.engine.given)

    def _look_at_place(self, question: Question, shown: Shown, start: int, end: int) -> None:
        if question.popup is None:
            assert start == end == clamped(shown.text, question.position)
        else:
            where = question.popup["range"]
            assert start == clamped(shown.text, where["start"])
            assert end == clamped(shown.text, where["end"])

    def _look_at_text(self, before: str, text: str, after: str) -> None:
        """With the item the document is what the engine made of it, but for blanks."""
        whole, after = plain(before + text), joined(after)
        fitting = (
            whole[len(plain(given.prefix)) :] in plain(given.text)
            for given in self.engine.given
            if whole.startswith(plain(given.prefix)) and stands_behind(given.suffix, after)
        )
        assert any(fitting), "a suggestion that the engine has not made for this text"

    def _look(self, request: InfillRequest) -> None:
        """The engine is asked, with text of documents that are open and may be seen."""
        with self._noted():
            known = {shown.marker for shown in self.handled.values() if not shown.hidden}
            asked = set(MARKER.findall(request.prefix + request.suffix))
            assert not asked & self.hidden, "the engine is asked about a hidden document"
            assert len(asked) == 1, "the engine is asked about no document"
            assert asked <= known, "the engine is asked about a document that is not open"
            for file in request.context:
                markers = set(MARKER.findall(file.text))
                assert not markers & self.hidden, "context from a hidden document"
                assert markers <= known or file.path == "clipboard", "context from nowhere"

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except (AssertionError, LookupError):
            self.faults.append(traceback.format_exc())

    def _changed(self, shown: Shown, changes: list[Message]) -> None:
        self.window.documents[shown.uri] = shown
        identifier = {"uri": shown.uri, "version": shown.version}
        params = {"textDocument": identifier, "contentChanges": changes}
        self.notify("textDocument/didChange", params)

    def _send(self, message: Message) -> None:
        self._states.append(dict(self.window.documents))
        self.incoming.send(message)


def stands_behind(suffix: str, after: str) -> bool:
    """Whether text is as it was, but for what an editor may have closed on its own."""
    closers = after.removesuffix(suffix)
    return after.endswith(suffix) and len(closers) <= 4 and not closers.strip(")]}'\"`")


def plain(text: str) -> str:
    """Text without blanks and line breaks, which may be written otherwise."""
    return "".join(joined(text).split())


def joined(units: str) -> str:
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def clamped(text: EditedText, position: Message) -> int:
    """The place that a position means: past the end it is the end, within a character its start."""
    lines = text.lines()
    if position["line"] >= len(lines):
        return len(text.units)
    start = sum(map(len, lines[: position["line"]]))
    visible = lines[position["line"]].rstrip("\r\n")
    places = [at for at in text.places() if start <= at <= start + len(visible)]
    column = position["character"]
    return max(at for at in places if text.position(at)["character"] <= column)


class Overheard(logging.Handler):
    """Keeps what is logged of errors, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(QuietFormatter())
        self.errors: list[str] = []
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.INFO:
            return
        line = self.format(record)
        if record.levelno >= logging.ERROR:
            self.errors.append(line)
        if MARKER.search(line):
            self.leaks.append(line)
