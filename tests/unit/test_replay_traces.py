"""Editing traces: from two versions of a file to the keys in between."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replay.changes import Change, changes_between
from replay.history import NoHistory, Revision, revisions
from replay.keys import Key, indent_unit, keys_for
from replay.trace import Trace, from_json, to_json
from replay.tracing import trace_of

if TYPE_CHECKING:
    from pathlib import Path

CODE_LINES = st.sampled_from(
    ["def area(self):", "    return a + b", "    return a * b", "", "    ", "\tif x:", "}", "  é🙂"]
)
CODE = st.builds(
    lambda lines, end: "\n".join(lines) + end,
    st.lists(CODE_LINES, max_size=12),
    st.sampled_from(["", "\n", "\r\n", "\n\n"]),
)
TEXTS = st.one_of(CODE, st.text(st.sampled_from("ab (\t:\r\n{é🙂"), max_size=60), st.text())


def traced(before: str, after: str, seed: int = 0) -> Trace:
    return trace_of(Revision("a.py", "python", "c0ffee", before, after), seed)


@given(TEXTS, TEXTS)
def test_a_trace_ends_with_the_later_version(before: str, after: str) -> None:
    assert traced(before, after).after == after


@given(TEXTS, TEXTS)
def test_each_stroke_changes_something_and_deletes_only_what_is_there(
    before: str, after: str
) -> None:
    for run in traced(before, after).runs:
        assert run.strokes
        for state, stroke in zip(run.states(), run.strokes, strict=False):
            assert 0 <= stroke.back <= len(state)
            assert stroke.back or stroke.text


@given(TEXTS, TEXTS)
def test_places_are_edited_from_the_top_down(before: str, after: str) -> None:
    text, reached = before, 0
    for change in changes_between(before, after):
        assert change.start >= reached - 1  # a line break may be common to two
        assert text.startswith(change.removed, change.start)
        text = text[: change.start] + change.written + text[change.start + len(change.removed) :]
        reached = change.start + len(change.written)
    assert text == after


@given(TEXTS, TEXTS, st.integers())
def test_the_same_seed_gives_the_same_trace(before: str, after: str, seed: int) -> None:
    assert traced(before, after, seed) == traced(before, after, seed)


@given(TEXTS, TEXTS)
def test_a_trace_survives_a_file(before: str, after: str) -> None:
    trace = traced(before, after)
    assert from_json(to_json([trace])) == [trace]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1, "traces": [3]}', '{"format": 2, "traces": []}']
)
def test_a_file_that_holds_no_traces_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="traces"):
        from_json(text)


def test_equal_texts_need_no_key() -> None:
    assert traced("a\nb\n", "a\nb\n").runs == ()


def test_only_the_words_that_differ_are_typed() -> None:
    [change] = changes_between("x = first(a, b)\n", "x = first(a, b, c)\n")
    assert change == Change(14, "", ", c")


def test_a_new_line_is_begun_with_enter_at_the_end_of_the_line_above() -> None:
    [run] = traced("if a:\n    b = 1\nc\n", "if a:\n    b = 1\n    d = 2\nc\n").runs
    assert run.start == len("if a:\n    b = 1")
    assert run.strokes[0].text == "\n    "
    assert "".join(stroke.text for stroke in run.strokes[1:]) == "d = 2"


def test_a_removed_line_goes_at_once() -> None:
    [run] = traced("a\nlong line here\nb\n", "a\nb\n").runs
    assert [(stroke.back, stroke.text) for stroke in run.strokes] == [(15, "")]


def test_a_short_word_is_deleted_character_by_character() -> None:
    [run] = traced("x = old + 1  # and so on\n", "x = + 1  # and so on\n").runs
    assert [stroke.back for stroke in run.strokes] == [1] * 4


def pressed(written: str, line: str = "", unit: str = "    ") -> list[Key]:
    return list(keys_for(Change(0, "", written), line, unit))


def test_the_editor_indents_behind_a_colon() -> None:
    assert pressed("\n        b", line="    if a:") == [Key(0, "\n        "), Key(0, "b")]


def test_too_much_indentation_is_taken_back_a_level_at_a_time() -> None:
    assert pressed("\n}", line="        a") == [
        Key(0, "\n        "),
        Key(4, ""),
        Key(4, ""),
        Key(0, "}"),
    ]


def test_a_line_left_blank_loses_its_indentation() -> None:
    assert pressed("\n\n    b", line="    a") == [
        Key(0, "\n    "),
        Key(4, "\n    "),
        Key(0, "b"),
    ]


def test_missing_indentation_is_typed_with_the_tab_key() -> None:
    assert pressed("\n        b", line="a") == [
        Key(0, "\n"),
        Key(0, "    "),
        Key(0, "    "),
        Key(0, "b"),
    ]


@pytest.mark.parametrize(
    ("text", "unit"),
    [("", "    "), ("a:\n    b\n", "    "), ("a {\n  b\n", "  "), ("a {\n\tb\n", "\t")],
)
def test_a_level_of_indentation_is_the_files_own(text: str, unit: str) -> None:
    assert indent_unit(text) == unit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    for name in ("a.py", "b.js", "c.bin"):
        (tmp_path / name).write_text("one\n")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "a.py").write_text("one\ntwo\nthree\nfour\n")
    (tmp_path / "b.js").write_text("one\n" + "more\n" * 500)
    (tmp_path / "c.bin").write_text("one\ntwo\nthree\nfour\n")
    git("commit", "-am", "second")
    return tmp_path


def test_moderate_edits_of_known_languages_are_found(repository: Path) -> None:
    [found] = revisions(repository, [], seed=0)
    assert (found.path, found.language) == ("a.py", "python")
    assert (found.before, found.after) == ("one\n", "one\ntwo\nthree\nfour\n")


def test_a_folder_without_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoHistory, match="git says"):
        next(revisions(tmp_path, [], seed=0))


def test_a_repository_without_such_files_is_refused(repository: Path) -> None:
    with pytest.raises(NoHistory, match="moderately"):
        next(revisions(repository, ["*.rs"], seed=0))
