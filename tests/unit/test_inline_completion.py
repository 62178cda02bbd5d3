"""What the engine is asked, and what the editor gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from finals import fill
from lsprotocol import types

from midfill.inference.text.hole_at_cursor import Hole, NoHole, Reason
from midfill.lsp.documents import Document, DocumentStore
from midfill.lsp.inline_completion import (
    CHOICES,
    hole_for,
    items_for,
    request_for,
    spot_of,
    worth_showing,
)
from midfill.lsp.snapshot import Snapshot, take_snapshot

if TYPE_CHECKING:
    from midfill.inference.wire import InfillRequest

URI = "untitled:Untitled-1"
INVOKED = types.InlineCompletionTriggerKind.Invoked
AUTOMATIC = types.InlineCompletionTriggerKind.Automatic


def opened(text: str, encoding: str = "utf-16") -> Document:
    store = DocumentStore(None, position_encoding=encoding)
    store.put_text_document(types.TextDocumentItem(URI, "python", 7, text))
    document = store.opened(URI)
    assert document is not None
    return document


def snapshot(
    text: str,
    line: int,
    character: int,
    *,
    kind: types.InlineCompletionTriggerKind = AUTOMATIC,
    popup: types.SelectedCompletionInfo | None = None,
    encoding: str = "utf-16",
) -> Snapshot:
    params = types.InlineCompletionParams(
        types.InlineCompletionContext(kind, popup),
        types.TextDocumentIdentifier(URI),
        types.Position(line, character),
    )
    return take_snapshot(opened(text, encoding), params)


def entry(text: str, line: int, start: int, end: int) -> types.SelectedCompletionInfo:
    place = types.Range(types.Position(line, start), types.Position(line, end))
    return types.SelectedCompletionInfo(place, text)


def asked(taken: Snapshot) -> InfillRequest:
    spot = spot_of(taken)
    hole = hole_for(taken, spot)
    assert isinstance(hole, Hole)
    return request_for(taken, spot, hole)


def test_the_engine_is_asked_with_the_text_on_both_sides() -> None:
    request = asked(snapshot("import os\nx = \ny = 2\n", 1, 4))
    assert (request.prefix, request.suffix) == ("import os\nx = ", "\ny = 2\n")
    assert request.language == "python"


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 14), ("utf-16", 12), ("utf-32", 11)])
def test_characters_before_the_cursor_are_counted_as_the_client_counts_them(
    encoding: str, character: int
) -> None:
    taken = snapshot("names = ['😀']\n", 0, character, encoding=encoding)
    assert asked(taken).prefix == "names = ['😀"
    assert taken.range.start == types.Position(0, character)


def test_one_suggestion_while_typing_and_several_on_demand() -> None:
    assert asked(snapshot("x = ", 0, 4)).n == 1
    assert asked(snapshot("x = ", 0, 4, kind=INVOKED)).n == CHOICES


def test_there_is_nothing_to_ask_inside_a_word_unless_somebody_insists() -> None:
    taken = snapshot("name", 0, 2)
    assert hole_for(taken, spot_of(taken)) == NoHole(Reason.INSIDE_WORD)
    assert asked(snapshot("name", 0, 2, kind=INVOKED)).suffix == "me"


@pytest.mark.parametrize(("confidence", "worth"), [(0.19, False), (0.2, True), (1.0, True)])
def test_an_unlikely_fill_is_shown_only_to_whoever_asked(confidence: float, worth: bool) -> None:
    final = fill("1").model_copy(update={"confidence": confidence})
    assert worth_showing(snapshot("x = ", 0, 4), final, 0.2) is worth
    assert worth_showing(snapshot("x = ", 0, 4, kind=INVOKED), final, 0.2)


def test_a_fill_is_inserted_at_the_cursor() -> None:
    taken = snapshot("x = \n", 0, 4)
    at_cursor = types.Range(types.Position(0, 4), types.Position(0, 4))
    assert items_for(taken, fill("1")) == [types.InlineCompletionItem("1", range=at_cursor)]


def test_a_position_past_the_end_means_the_end() -> None:
    taken = snapshot("x = \ny = ", 9, 99)
    [item] = items_for(taken, fill("1"))
    assert item.range == types.Range(types.Position(1, 4), types.Position(1, 4))


@pytest.mark.parametrize("empty", ["", " ", "\n    "])
def test_nothing_visible_is_no_suggestion(empty: str) -> None:
    assert items_for(snapshot("x = ", 0, 4), fill(empty)) == []


def test_alternatives_are_offered_on_demand_each_once() -> None:
    final = fill("1", "2", "1", " ", "    2", "3", "4")
    texts = [item.insert_text for item in items_for(snapshot("x", 0, 1, kind=INVOKED), final)]
    assert texts == ["1", "2", "3"]
    assert [item.insert_text for item in items_for(snapshot("x", 0, 1), final)] == ["1"]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_a_fill_has_the_documents_line_breaks(line_break: str) -> None:
    [item] = items_for(snapshot(f"def f():{line_break}", 0, 8), fill("\n    return 1"))
    assert item.insert_text == f"{line_break}    return 1"


def test_a_popup_entry_is_gone_on_from() -> None:
    taken = snapshot("import os\nos.pa\n", 1, 5, popup=entry("path", 1, 3, 5))
    assert asked(taken).prefix == "import os\nos.path"
    assert asked(taken).suffix == "\n"
    [item] = items_for(taken, fill(".join(a, b)"))
    assert item.insert_text == "path.join(a, b)"
    assert item.range == types.Range(types.Position(1, 3), types.Position(1, 5))


def test_a_popup_entry_that_nothing_extends_gets_no_suggestion() -> None:
    taken = snapshot("os.pa", 0, 5, popup=entry("path", 0, 3, 5))
    assert items_for(taken, fill("")) == []


def test_a_range_over_several_lines_gets_no_suggestion() -> None:
    place = types.Range(types.Position(0, 0), types.Position(1, 2))
    popup = types.SelectedCompletionInfo(place, "path")
    assert items_for(snapshot("os\nos", 1, 2, popup=popup), fill(".join")) == []


def test_a_snapshot_holds_until_the_document_changes() -> None:
    document = opened("x = \n")
    context = types.InlineCompletionContext(AUTOMATIC)
    where = types.TextDocumentIdentifier(URI)
    taken = take_snapshot(
        document, types.InlineCompletionParams(context, where, types.Position(0, 4))
    )
    assert taken.still_holds(document)
    document.apply_change(types.TextDocumentContentChangeWholeDocument("x = 1\n"))
    assert not taken.still_holds(document)
    assert not taken.still_holds(None)
