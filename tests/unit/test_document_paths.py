"""Where documents lie, whatever their clients' URIs look like."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.lsp.document_paths import folder_path, paths_of


@pytest.mark.parametrize(
    ("uri", "paths"),
    [
        ("file:///home/me/a.py", ("/home/me/a.py",)),
        ("FILE:///home/me/%2Eenv", ("/home/me/.env",)),
        ("file://localhost/home/me/a.py", ("/home/me/a.py",)),
        ("file://server/share/a.py", ("//server/share/a.py",)),
        ("file:///home/c#/a.py", ("/home/c", "/home/c#/a.py")),
        ("file:///home/%FC.py", ("/home/\udcfc.py",)),
        ("untitled:.env", (".env",)),
        ("untitled:Untitled-1", ("Untitled-1",)),
        ("vscode-notebook-cell:/home/me/a.ipynb#C1", ("/home/me/a.ipynb",)),
        ("vscode-remote://ssh-remote+host/home/me/.env", ("/home/me/.env",)),
        ("git:/home/me/.env?%7B%7D", ("/home/me/.env",)),
        ("/home/me/a.py", ("/home/me/a.py",)),
        ("", ("",)),
    ],
)
def test_a_uri_means_the_path_in_it(uri: str, paths: tuple[str, ...]) -> None:
    assert paths_of(uri) == paths


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_comes_back_from_its_uri(name: str) -> None:
    assert paths_of(f"file:///home/{quote(name)}") == (f"/home/{name}",)
    assert folder_path(f"file:///home/{quote(name)}") == f"/home/{name}"


@given(st.text())
def test_no_uri_is_too_strange(uri: str) -> None:
    assert all(isinstance(path, str) for path in paths_of(uri))
    assert paths_of(f"file://{uri}")
