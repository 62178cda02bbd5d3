"""Pieces of visited files are offered by how much they are like the text at the cursor."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

from context_workspace import Workspace, functions
from hypothesis import given
from hypothesis import strategies as st

from midfill.lsp.context.chunks import MOST_LINES, chunks
from midfill.lsp.context.readable_files import Stamp
from midfill.lsp.context.view import view_at
from midfill.lsp.context.visited_files import FILES, VisitedFiles

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.lsp.context.snippet import Snippet

SALES = functions("sale", 20)


def visited(workspace: Workspace) -> VisitedFiles:
    return workspace.sources._visited


def offered(workspace: Workspace, text: str, uri: str = "file:///elsewhere.py") -> list[Snippet]:
    lines = text.splitlines(keepends=True)
    return list(visited(workspace).snippets(view_at(uri, lines, len(lines) - 1)))


def test_the_piece_most_like_the_text_at_the_cursor_comes_first(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.open("sales.py", SALES)
    workspace.open("other.py", functions("thing", 20))

    first, *_ = offered(workspace, "value_sale_13 = 1\nresult_sale_13 = sale_13(value_sale_13)\n")

    assert first.origin.shown == "sales.py"
    assert "def sale_13" in first.text


def test_what_has_nothing_to_do_with_the_text_is_not_offered(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.open("sales.py", SALES)

    assert offered(workspace, "completely unrelated words\n") == []


def test_of_the_document_itself_only_what_the_model_does_not_read_anyway(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    text = functions("far", 60)
    uri = workspace.open("here.py", text)
    lines = text.splitlines(keepends=True)
    view = view_at(uri, lines, 200)

    pieces = visited(workspace).snippets(view)

    read = "".join(lines[view.read.start : view.read.stop])
    assert pieces
    assert all(piece.text not in read for piece in pieces)


def test_pieces_are_cut_anew_when_an_edited_document_is_visited(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    uri = workspace.open("sales.py", SALES)
    workspace.replace(uri, 0, 0, "def brand_new_name(brand_new_value):")
    assert "brand_new_name" not in "".join(s.text for s in offered(workspace, SALES))

    visited(workspace).visited(uri, 3)

    text = "brand_new_name brand_new_value sale_0 result_sale_0\n"
    assert "brand_new_name" in offered(workspace, text)[0].text


def test_a_closed_file_is_offered_again_once_its_pieces_are_found_on_the_disk(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path)
    workspace.write("sales.py", SALES)
    here = workspace.open("here.py", "x = 1\n")
    uri = workspace.open("sales.py")
    workspace.close(uri)
    assert offered(workspace, SALES) == []

    workspace.look_up(here)

    assert offered(workspace, "def sale_3(value_sale_3): return result_sale_3\n")


def test_unsaved_text_of_a_closed_document_is_dropped(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write("sales.py", "saved = 1\n")
    here = workspace.open("here.py", "x = 1\n")
    uri = workspace.open("sales.py", SALES)
    workspace.close(uri)

    workspace.look_up(here)

    assert offered(workspace, SALES) == []
    assert visited(workspace).to_be_found() == ()


def test_an_untitled_document_leaves_nothing_when_it_is_closed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    here = workspace.open("here.py", "x = 1\n")
    visited(workspace).visited("untitled:Untitled-1", 0)
    visited(workspace).closed("untitled:Untitled-1")

    workspace.look_up(here)

    assert visited(workspace).to_be_found() == ()


def test_a_forgotten_document_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    uri = workspace.open("sales.py", SALES)
    workspace.sources.forget(uri)

    assert offered(workspace, SALES) == []


def test_findings_that_come_after_a_document_was_opened_again_change_nothing(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path)
    uri = workspace.open("sales.py", SALES)
    before = offered(workspace, SALES)

    visited(workspace).found(uri, frozenset(), Stamp(1, 1, 1, 1))

    assert offered(workspace, SALES) == before


def test_only_so_many_files_are_remembered(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    uris = [workspace.open(f"{n}.py", functions(f"f{n}", 3)) for n in range(FILES + 3)]

    assert list(visited(workspace)._files) == uris[3:]


def test_offering_from_memory_takes_about_a_millisecond(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for n in range(FILES):
        workspace.open(f"{n}.py", functions(f"f{n}", 200))
    view = view_at("file:///x.py", functions("f3", 20).splitlines(keepends=True), 40)
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        visited(workspace).snippets(view)
        taken.append(time.perf_counter() - began)

    print(f"{1e3 * min(taken):.2f} ms, {len(visited(workspace)._pieces())} pieces")
    assert min(taken) < 0.002


@given(
    st.lists(st.sampled_from(["\n", "x = 1\n", "    y\n", "z" * 90 + "\n", "w" * 999 + "\n"])),
    st.integers(1, 2000),
)
def test_pieces_follow_each_other_and_are_bearable(lines: list[str], characters: int) -> None:
    pieces = chunks(lines, 0, len(lines), characters)

    assert all(0 < len(piece) <= MOST_LINES for piece in pieces)
    assert all(one.stop <= other.start for one, other in pairwise(pieces))
    for piece in pieces:
        text = lines[piece.start : piece.stop]
        assert max(map(len, text)) <= 400
        assert sum(map(len, text)) <= max(characters, len(text[0]))
