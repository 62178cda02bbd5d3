"""The documents equal their editors' texts, whatever is edited where and however it is counted."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from midfill.lsp.documents import Document, DocumentStore
from midfill.lsp.text_positions import split_lines

ENCODINGS = ["utf-8", "utf-16", "utf-32"]
PIECES = [
    "a", "Z", "_", " ", "\t", "\n", "\r\n", "\r", "\f", "\v", "\x1c", "\x85", "\u2028", "\u2029",
    "é", "e\u0301", "ß", "汉", "😀", "👩\u200d👩\u200d👧", "𝔘", "\ufeff", "\x00",
]  # fmt: skip
URI = "file:///somewhere/module.py"


@dataclass(frozen=True)
class Edit:
    start: tuple[int, int]
    end: tuple[int, int]
    text: str


texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
positions = st.tuples(st.integers(0, 12), st.integers(0, 20))
edits = st.builds(Edit, positions, positions, texts)


class ReferenceEditor:
    """An editor that keeps its text in code units and finds positions by walking."""

    def __init__(self, text: str, encoding: str) -> None:
        self._codec = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}[encoding]
        self._width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
        self.text = text

    def offset(self, line: int, character: int) -> int:
        at = 0
        for _ in range(line):
            while at < len(self.text) and self.text[at] not in "\r\n":
                at += 1
            if at == len(self.text):
                return at
            at += 2 if self.text[at : at + 2] == "\r\n" else 1
        units = 0
        while at < len(self.text) and self.text[at] not in "\r\n":
            units += len(self.text[at].encode(self._codec)) // self._width
            if units > character:
                break
            at += 1
        return at

    def edit(self, edit: Edit) -> None:
        start, end = sorted((self.offset(*edit.start), self.offset(*edit.end)))
        self.text = self.text[:start] + edit.text + self.text[end:]


def opened(text: str, encoding: str) -> tuple[DocumentStore, Document]:
    store = DocumentStore(None, position_encoding=encoding)
    store.put_text_document(types.TextDocumentItem(URI, "python", 1, text))
    document = store.opened(URI)
    assert document is not None
    return store, document


def changed(store: DocumentStore, edit: Edit, version: int = 2) -> None:
    store.update_text_document(
        types.VersionedTextDocumentIdentifier(version, URI),
        types.TextDocumentContentChangePartial(
            types.Range(types.Position(*edit.start), types.Position(*edit.end)), edit.text
        ),
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=texts, sequence=st.lists(edits, max_size=8))
def test_a_document_equals_its_editors_text(encoding: str, text: str, sequence: list[Edit]) -> None:
    editor = ReferenceEditor(text, encoding)
    store, document = opened(text, encoding)
    for version, edit in enumerate(sequence, 2):
        editor.edit(edit)
        changed(store, edit, version)
        assert document.source == editor.text
        assert document.version == version
        assert tuple(document.lines) == split_lines(editor.text)
        for line in range(len(document.lines)):
            start = sum(map(len, document.lines[:line]))
            assert document.lines.start(line) == start
            assert document.lines.line_at(start) == line


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=texts, position=positions)
def test_positions_are_found_as_the_editor_finds_them(
    encoding: str, text: str, position: tuple[int, int]
) -> None:
    _, document = opened(text, encoding)
    offset = document.offset_at_position(types.Position(*position))
    assert offset == ReferenceEditor(text, encoding).offset(*position)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=texts, data=st.data())
def test_every_offset_but_those_inside_a_line_break_comes_back(
    encoding: str, text: str, data: st.DataObject
) -> None:
    _, document = opened(text, encoding)
    offset = data.draw(st.integers(0, len(text)))
    inside_break = text[max(offset - 1, 0) : offset + 1] == "\r\n"
    position = document.client_position_at_offset(offset)
    assert document.offset_at_position(position) == offset - inside_break


def test_only_what_editors_break_lines_at_breaks_lines() -> None:
    _, document = opened("a\fb\u2028c\x85d\ne\rf\r\ng", "utf-16")
    assert list(document.lines) == ["a\fb\u2028c\x85d\n", "e\r", "f\r\n", "g"]


def test_an_empty_document_has_one_empty_line() -> None:
    _, document = opened("", "utf-16")
    assert list(document.lines) == [""]
    assert document.offset_at_position(types.Position(3, 7)) == 0


@pytest.mark.parametrize(
    ("position", "offset"),
    [
        ((0, 99), 3),  # past the end of a line: before its break
        ((1, 99), 8),  # past the end of the last line
        ((2, 0), 8),  # past the last line
        ((99, 99), 8),
    ],
)
def test_positions_past_the_end_mean_the_end(position: tuple[int, int], offset: int) -> None:
    _, document = opened("one\r\ntwo", "utf-16")
    assert document.offset_at_position(types.Position(*position)) == offset


@pytest.mark.parametrize(
    ("encoding", "inside"), [("utf-8", (3, 4, 5)), ("utf-16", (3,)), ("utf-32", ())]
)
def test_a_position_inside_a_character_means_its_start(
    encoding: str, inside: tuple[int, ...]
) -> None:
    _, document = opened("ab😀c", encoding)
    for character in inside:
        assert document.offset_at_position(types.Position(0, character)) == 2


def test_the_parameters_of_a_request_are_left_as_they_are() -> None:
    _, document = opened("one", "utf-16")
    position = types.Position(5, 99)
    document.offset_at_position(position)
    assert position == types.Position(5, 99)


def test_a_change_without_a_range_replaces_the_document() -> None:
    store, document = opened("old\n", "utf-16")
    store.update_text_document(
        types.VersionedTextDocumentIdentifier(2, URI),
        types.TextDocumentContentChangeWholeDocument("new\r\n"),
    )
    assert document.source == "new\r\n"
    assert list(document.lines) == ["new\r\n", ""]


def test_a_surrogate_pair_sent_in_two_halves_becomes_one_character() -> None:
    store, document = opened("ab", "utf-16")
    changed(store, Edit((0, 1), (0, 1), "\ud83d"))
    changed(store, Edit((0, 2), (0, 2), "\ude00"), 3)
    assert document.source == "a😀b"


def test_halves_of_a_pair_that_an_edit_brings_together_become_one_character() -> None:
    store, document = opened("\ud83dx\ude00", "utf-16")
    changed(store, Edit((0, 1), (0, 2), ""))
    assert document.source == "😀"


def test_a_change_of_a_document_that_was_never_opened_is_ignored() -> None:
    store = DocumentStore(None)
    changed(store, Edit((0, 0), (0, 0), "text"))
    assert store.opened(URI) is None


def test_a_document_that_is_not_open_is_not_read_from_the_disk() -> None:
    store = DocumentStore(None)
    assert store.opened("file:///etc/hostname") is None


def test_a_closed_document_is_forgotten() -> None:
    store, _ = opened("text", "utf-16")
    store.remove_text_document(URI)
    assert store.opened(URI) is None


def test_an_untitled_document_is_a_document() -> None:
    store = DocumentStore(None)
    store.put_text_document(types.TextDocumentItem("untitled:Untitled-1", "python", 1, "text"))
    document = store.opened("untitled:Untitled-1")
    assert document is not None
    assert document.source == "text"
