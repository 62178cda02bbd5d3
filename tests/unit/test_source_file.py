"""Reading the file to fill, and every way in which that can go wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.errors import UnreadableFile, UsageError
from midfill.inference.text.line_breaks import LINE_BREAK
from midfill.inference.text.source_file import (
    MAX_FILE_BYTES,
    Place,
    offset_of,
    parse_file_and_place,
    parse_place,
    read_source,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\x7fELF\0\0", "binary"),
        (b"x" * (MAX_FILE_BYTES + 1), "up to 2 MB"),
        ("grün".encode("latin-1"), "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_filled_is_refused_in_one_line(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=complaint) as refusal:
        read_source(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        read_source(tmp_path / "none.py")
    with pytest.raises(UnreadableFile, match="is a folder"):
        read_source(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableFile, match="no ordinary file"):
        read_source(tmp_path / "pipe")


def test_text_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_source(path) == "\ufeffa\r\nb\rc\n"


@pytest.mark.parametrize("text", ["", "3", "0:1", "1:0", "a:b", "1:-1", "1:2:3"])
def test_what_is_no_place_is_a_wrong_call(text: str) -> None:
    with pytest.raises(UsageError, match="LINE:COL"):
        parse_place(text)


def test_a_files_name_may_hold_colons() -> None:
    assert parse_file_and_place("C:\\a.py:3:7") == ("C:\\a.py", Place(3, 7))
    with pytest.raises(UsageError, match="FILE:LINE:COL"):
        parse_file_and_place("a.py:3")


def test_columns_count_characters_and_lines_break_as_editors_break_them() -> None:
    text = "aé🙂\r\nb\x0cc\rd"
    assert offset_of(text, Place(1, 4)) == 3
    assert offset_of(text, Place(2, 4)) == text.index("\rd")
    assert offset_of(text, Place(3, 2)) == len(text)


@pytest.mark.parametrize(
    ("place", "complaint"), [(Place(4, 1), "the last one is 3"), (Place(1, 5), "its end is 4")]
)
def test_a_place_past_the_end_is_a_wrong_call(place: Place, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        offset_of("abc\ndef\n", place)


@given(text=st.text("ab\r\n\x0c\u2028🙂"), data=st.data())
def test_every_offset_is_at_its_place(text: str, data: st.DataObject) -> None:
    lines = LINE_BREAK.split(text)
    line = data.draw(st.integers(0, len(lines) - 1))
    column = data.draw(st.integers(0, len(lines[line])))
    offset = offset_of(text, Place(line + 1, column + 1))
    assert LINE_BREAK.split(text[:offset] + "▮")[line] == lines[line][:column] + "▮"
