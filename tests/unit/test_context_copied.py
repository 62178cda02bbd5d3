"""The clipboard is seen only by those who switched it on, and not for long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from context_workspace import Clock, Workspace

from midfill.lsp.context.copied_text import LONGEST, SECONDS, CopiedText, read_copy
from midfill.lsp.context.sources import ContextSettings
from midfill.lsp.context.view import view_at

if TYPE_CHECKING:
    from pathlib import Path

HERE = view_at("file:///w/here.py", ["x = 1\n"], 0)


def texts(copied: CopiedText) -> list[str]:
    return [snippet.text for snippet in copied.snippets(HERE)]


def test_nothing_is_kept_unless_it_is_wanted() -> None:
    copied = CopiedText(100)
    copied.copied("hunter2")
    copied.switch(wanted=True)

    assert texts(copied) == []


def test_what_was_copied_last_is_offered() -> None:
    copied = CopiedText(100, wanted=True)
    copied.copied("first(1)\n")
    copied.copied("second(2)\n")

    assert texts(copied) == ["second(2)"]


def test_after_ten_minutes_it_is_gone() -> None:
    clock = Clock()
    copied = CopiedText(100, wanted=True, clock=clock)
    copied.copied("text")
    clock.now += SECONDS
    assert texts(copied) == ["text"]
    clock.now += 1

    assert texts(copied) == []
    assert copied._snippet is None


def test_switching_it_off_drops_what_there_is() -> None:
    copied = CopiedText(100, wanted=True)
    copied.copied("text")
    copied.switch(wanted=False)
    copied.switch(wanted=True)

    assert texts(copied) == []


def test_what_is_blank_or_a_whole_file_is_not_kept_nor_what_was_there_before() -> None:
    for text in ("", " \n\t\n", "x" * (LONGEST + 1)):
        copied = CopiedText(10_000, wanted=True)
        copied.copied("before")
        copied.copied(text)
        assert texts(copied) == []


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (SimpleNamespace(text="a", uri="file:///a.py"), ("a", "file:///a.py")),
        (SimpleNamespace(text="a"), ("a", "")),
        (SimpleNamespace(text="a", uri=None), ("a", "")),
        (SimpleNamespace(text=7), None),
        (SimpleNamespace(), None),
        (None, None),
    ],
)
def test_only_text_is_taken_for_a_copy(params: object, expected: object) -> None:
    assert read_copy(params) == expected


def test_what_exceeds_the_budget_is_not_offered() -> None:
    copied = CopiedText(10, wanted=True)
    copied.copied("x" * 100)

    assert texts(copied) == []


def test_what_was_copied_from_an_excluded_document_is_not_kept(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, ContextSettings(tokens=400, clipboard=True))
    here = workspace.open("here.py", "x = 1\n")
    secret = workspace.open(".env", "TOKEN=hunter2\n")
    workspace.sources.copied("TOKEN=hunter2", secret)

    assert workspace.context(here, 0) == {}


def test_a_copy_is_dropped_when_its_document_becomes_excluded(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, ContextSettings(tokens=400, clipboard=True))
    here = workspace.open("here.py", "x = 1\n")
    other = workspace.open("other.py", "password = 'hunter2'\n")
    workspace.sources.copied("password = 'hunter2'", other)
    assert workspace.context(here, 0) == {"clipboard": "password = 'hunter2'"}

    workspace.write(".midfillignore", "other.py\n")

    assert workspace.context(here, 0) == {}


def test_a_copy_that_another_has_replaced_is_dropped_from_the_context(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, ContextSettings(tokens=400, clipboard=True))
    here = workspace.open("here.py", "x = 1\n")
    workspace.sources.copied("first(1)")
    workspace.context(here, 0)
    workspace.sources.copied("second(2)")

    assert workspace.context(here, 0) == {}
    workspace.clock.now += 6
    assert workspace.context(here, 0) == {"clipboard": "second(2)"}
