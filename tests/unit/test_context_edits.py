"""Places that were edited lately are offered with the text that they have now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from context_workspace import Workspace, functions
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from midfill.lsp.context.line_changes import line_changes
from midfill.lsp.context.recent_edits import LineChange, RecentEdits
from midfill.lsp.context.snippet import Origin
from midfill.lsp.context.view import view_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Texts:
    """Open documents as lists of lines."""

    folders: tuple[str, ...] = ()

    def __init__(self, **documents: str) -> None:
        self.documents = {name: text.splitlines(keepends=True) for name, text in documents.items()}

    def lines_of(self, uri: str) -> Sequence[str] | None:
        return self.documents.get(uri)

    def text_of(self, uri: str) -> str | None:
        return "".join(self.documents[uri]) if uri in self.documents else None

    def language_of(self, uri: str) -> str:
        return ""

    def by_path(self) -> Mapping[str, str]:
        return {}

    def may_be_read(self, uri: str) -> bool:
        return uri in self.documents

    def edit(self, edits: RecentEdits, uri: str, first: int, last: int, text: str) -> None:
        new = text.splitlines(keepends=True)
        self.documents[uri][first : last + 1] = new
        edits.changed(uri, LineChange(first, last, len(new)))


def recent(texts: Texts, tokens: int = 500) -> RecentEdits:
    return RecentEdits(texts, lambda uri: Origin(uri, uri), tokens)


def offered(texts: Texts, edits: RecentEdits, uri: str = "here", line: int = 0) -> list[str]:
    view = view_at(uri, texts.documents.get(uri, ["\n"]), line)
    return [snippet.text for snippet in edits.snippets(view)]


def numbered(count: int, name: str = "line") -> str:
    return "".join(f"{name}_{n} = {n}\n" for n in range(count))


def test_the_latest_edit_comes_first_with_its_text_as_it_is_now() -> None:
    texts = Texts(a=numbered(40, "a"), b=numbered(40, "b"))
    edits = recent(texts)
    texts.edit(edits, "a", 10, 10, "first = 1\n")
    texts.edit(edits, "b", 20, 20, "second = 2\n")
    texts.edit(edits, "a", 10, 10, "third = 3\n")

    found = offered(texts, edits)

    assert "third = 3" in found[0]
    assert "second = 2" in found[1]
    assert not any("first" in text for text in found)
    assert found[0].splitlines()[0] == "a_7 = 7"


def test_a_place_moves_with_edits_above_it() -> None:
    texts = Texts(a=numbered(100))
    edits = recent(texts)
    texts.edit(edits, "a", 80, 80, "target = 1\n")
    texts.edit(edits, "a", 10, 12, numbered(9, "inserted"))
    texts.edit(edits, "a", 30, 34, "")

    assert any("target = 1" in text for text in offered(texts, edits))


def test_edits_close_to_each_other_are_one_place() -> None:
    texts = Texts(a=numbered(60))
    edits = recent(texts)
    for line in (20, 24, 22):
        texts.edit(edits, "a", line, line, f"changed_{line} = 0\n")

    (found,) = offered(texts, edits)

    assert all(f"changed_{line}" in found for line in (20, 22, 24))


def test_what_stands_at_the_cursor_is_no_news() -> None:
    texts = Texts(here=numbered(400))
    edits = recent(texts)
    texts.edit(edits, "here", 300, 300, "near = 1\n")
    texts.edit(edits, "here", 5, 5, "far = 1\n")

    found = offered(texts, edits, "here", 302)

    assert len(found) == 1
    assert "far = 1" in found[0]


def test_a_document_that_is_not_open_any_more_has_nothing_to_offer() -> None:
    texts = Texts(a=numbered(40))
    edits = recent(texts)
    texts.edit(edits, "a", 10, 10, "x = 1\n")
    del texts.documents["a"]

    assert offered(texts, edits) == []


def test_a_forgotten_document_has_nothing_to_offer() -> None:
    texts = Texts(a=numbered(40))
    edits = recent(texts)
    texts.edit(edits, "a", 10, 10, "x = 1\n")
    edits.forget("a")

    assert offered(texts, edits) == []


def test_a_line_that_nobody_wrote_by_hand_is_not_offered() -> None:
    texts = Texts(a=numbered(40))
    edits = recent(texts)
    texts.edit(edits, "a", 10, 10, "x" * 5000 + "\n")

    assert offered(texts, edits) == []


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 59), st.integers(0, 9), st.integers(0, 30)),
        max_size=30,
    ),
    st.integers(0, 300),
)
def test_whatever_is_edited_the_text_offered_stands_there_and_fits(
    changes: list[tuple[str, int, int, int]], tokens: int
) -> None:
    texts = Texts(a=numbered(60, "a"), b=numbered(60, "b"), here="\n")
    edits = recent(texts, tokens)
    for number, (uri, first, more, new) in enumerate(changes):
        length = len(texts.documents[uri])
        first = min(first, length - 1)
        last = min(first + more, length - 1)
        texts.edit(edits, uri, first, last, numbered(max(new, 1), f"edit_{number}"))

    found = offered(texts, edits)

    assert sum(map(len, found)) <= tokens * 3.2
    assert all(any(text in "".join(lines) for lines in texts.documents.values()) for text in found)


@pytest.mark.parametrize(
    ("text", "lines"), [("", 1), ("x", 1), ("x\n", 2), ("a\r\nb\rc", 3), ("\f\u2028", 1)]
)
def test_lines_are_counted_as_editors_do(text: str, lines: int) -> None:
    span = types.Range(types.Position(7, 3), types.Position(5, 0))
    change = types.TextDocumentContentChangePartial(range=span, text=text)

    assert line_changes([change]) == (LineChange(5, 7, lines),)


def test_a_document_replaced_as_a_whole_keeps_no_places(tmp_path: Path) -> None:
    whole = types.TextDocumentContentChangeWholeDocument("new")
    assert line_changes([whole]) is None

    workspace = Workspace(tmp_path)
    edited = workspace.open("a.py", functions("a", 20))
    here = workspace.open("here.py", functions("h", 1))
    workspace.replace(edited, 40, 40, "changed_word = 1")
    assert "changed_word" in "".join(workspace.context(here, 0).values())
    workspace.sources.changed(edited, None)
    workspace.clock.now += 10
    assert workspace.sources._edits.snippets(view_at(here, ["\n"], 0)) == []
