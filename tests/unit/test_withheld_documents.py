"""Of documents that are excluded, the store keeps nothing but why."""

from __future__ import annotations

import gc
import logging
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from midfill.inference.exclusion import ignore_rules
from midfill.inference.exclusion.policy import ExclusionPolicy, UserRules
from midfill.lsp.documents import DocumentStore

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "m4rker_of_a_secret"


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    folder = types.WorkspaceFolder(tmp_path.as_uri(), "workspace")
    return DocumentStore(None, workspace_folders=[folder])


def put(store: DocumentStore, uri: str, text: str = f"{SECRET} = 1\n") -> None:
    store.put_text_document(types.TextDocumentItem(uri, "python", 1, text))


def change(store: DocumentStore, uri: str, text: str = SECRET) -> None:
    start = types.Position(0, 0)
    identifier = types.VersionedTextDocumentIdentifier(2, uri)
    for event in (
        types.TextDocumentContentChangePartial(types.Range(start, start), text),
        types.TextDocumentContentChangeWholeDocument(text),
    ):
        store.update_text_document(identifier, event)


def holds(store: DocumentStore, text: str) -> bool:
    """Whether a text is in anything that can be reached from the store."""
    seen: set[int] = set()
    pending: list[object] = [store]
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, str) and text in one:
            return True
        pending += gc.get_referents(one)
    return False


def test_what_is_allowed_is_held_and_found(store: DocumentStore, tmp_path: Path) -> None:
    put(store, (tmp_path / "a.py").as_uri())
    assert holds(store, SECRET)
    assert store.why_withheld((tmp_path / "a.py").as_uri()) is None


@pytest.mark.parametrize("name", [".env", "a/.ENV", "server.key"])
def test_nothing_of_an_excluded_document_is_held(
    store: DocumentStore, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    uri = (tmp_path / name).as_uri()
    with caplog.at_level(logging.DEBUG):
        put(store, uri)
        change(store, uri)
    assert not holds(store, SECRET)
    assert store.opened(uri) is None
    assert "built-in pattern" in (store.why_withheld(uri) or "")
    assert f"{uri} is excluded" in caplog.text
    assert "never opened" not in caplog.text
    assert SECRET not in caplog.text


def test_a_document_that_was_allowed_under_the_name_is_let_go(
    store: DocumentStore, tmp_path: Path
) -> None:
    uri = (tmp_path / "a.py").as_uri()
    put(store, uri)
    (tmp_path / ".midfillignore").write_text("a.py\n")
    put(store, uri)
    assert not holds(store, SECRET)


def test_what_becomes_excluded_is_let_go_at_once_when_told(
    store: DocumentStore, tmp_path: Path
) -> None:
    uris = [(tmp_path / name).as_uri() for name in ("a.py", "b.txt")]
    put(store, uris[0])
    put(store, uris[1], "nothing")
    (tmp_path / ".midfillignore").write_text("*.py\n")
    assert store.withhold_excluded() == [uris[0]]
    assert not holds(store, SECRET)
    assert store.opened(uris[1]) is not None


def test_a_change_that_the_clock_is_too_coarse_to_show_counts_when_told(
    store: DocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ignore_rules, "_state", lambda path: path.exists() or None)
    uri, ignore_file = (tmp_path / "a.py").as_uri(), tmp_path / ".midfillignore"
    ignore_file.write_text("b.py\n")
    put(store, uri)
    ignore_file.write_text("a.py\n")
    assert store.opened(uri) is not None
    assert store.withhold_excluded() == [uri]


def test_a_root_counts_as_a_folder_for_clients_that_know_no_others(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path.as_uri())
    (tmp_path / ".gitignore").write_text("a.py\n")
    put(store, (tmp_path / "a.py").as_uri())
    assert not holds(store, SECRET)


def test_what_becomes_excluded_is_let_go_when_it_is_asked_for(
    store: DocumentStore, tmp_path: Path
) -> None:
    uri = (tmp_path / "a.py").as_uri()
    put(store, uri)
    (tmp_path / ".midfillignore").write_text("*.py\n")
    assert store.opened(uri) is None
    assert not holds(store, SECRET)


def test_what_is_allowed_again_comes_back_when_it_is_opened_again(
    store: DocumentStore, tmp_path: Path
) -> None:
    uri = (tmp_path / "a.py").as_uri()
    ignore_file = tmp_path / ".midfillignore"
    ignore_file.write_text("*.py\n")
    put(store, uri)
    ignore_file.unlink()
    store.withhold_excluded()
    change(store, uri)
    assert store.opened(uri) is None
    put(store, uri)
    assert store.opened(uri) is not None


def test_closing_forgets_that_a_document_was_excluded(store: DocumentStore, tmp_path: Path) -> None:
    uri = (tmp_path / ".env").as_uri()
    put(store, uri)
    store.remove_text_document(uri)
    assert store.why_withheld(uri) is None


def test_a_rename_lets_go_of_what_its_new_name_excludes(
    store: DocumentStore, tmp_path: Path
) -> None:
    inside, other = ((tmp_path / name).as_uri() for name in ("drafts/a b.py", "drafts2/a.py"))
    put(store, inside)
    put(store, other, "nothing")
    (tmp_path / ".midfillignore").write_text("/private*/\n")
    old, new = (tmp_path / "drafts").as_uri(), (tmp_path / "private").as_uri()
    assert store.withhold_renamed(old, new) == [inside]
    assert not holds(store, SECRET)
    assert store.opened(other) is not None
    # Its old name alone is innocent, but the text is the same still.
    store.withhold_excluded()
    assert store.why_withheld(inside) is not None


def test_the_disk_is_never_read_instead(store: DocumentStore, tmp_path: Path) -> None:
    for name in (".env", "a.py"):
        (tmp_path / name).write_text(SECRET)
        assert store.get_text_document((tmp_path / name).as_uri()).source == ""


def notebook(uri: str, cell: str) -> types.DidOpenNotebookDocumentParams:
    return types.DidOpenNotebookDocumentParams(
        types.NotebookDocument(
            uri, "jupyter", 1, [types.NotebookCell(types.NotebookCellKind.Code, cell)]
        ),
        [types.TextDocumentItem(cell, "python", 1, SECRET)],
    )


def test_cells_are_excluded_with_their_notebook(store: DocumentStore, tmp_path: Path) -> None:
    uri, cell = (tmp_path / "a.ipynb").as_uri(), "cell:1"
    store.put_notebook_document(notebook(uri, cell))
    assert store.opened(cell) is not None
    (tmp_path / ".midfillignore").write_text("*.ipynb\n")
    assert store.withhold_excluded() == [cell]
    assert not holds(store, SECRET)
    store.put_notebook_document(notebook((tmp_path / "b.ipynb").as_uri(), "cell:2"))
    assert not holds(store, SECRET)
    assert store.opened("cell:2") is None


def test_folders_that_are_opened_later_bring_their_ignore_files(tmp_path: Path) -> None:
    store = DocumentStore(None)
    (tmp_path / ".gitignore").write_text("a.py\n")
    uri = (tmp_path / "a.py").as_uri()
    put(store, uri)
    assert store.opened(uri) is not None
    store.add_folder(types.WorkspaceFolder(tmp_path.as_uri(), "workspace"))
    assert store.withhold_excluded() == [uri]


def test_the_policy_of_the_store_is_the_users(tmp_path: Path) -> None:
    policy = ExclusionPolicy(UserRules(exclude=("*.py",), include=(".env",)))
    store = DocumentStore(tmp_path.as_uri(), policy=policy)
    for name, kept in (("a.py", False), (".env", True)):
        put(store, (tmp_path / name).as_uri())
        assert (store.opened((tmp_path / name).as_uri()) is not None) == kept
