"""Documents keep the line breaks they have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.text.line_breaks import LineBreak, for_model, in_document, line_break_of

texts = st.text(alphabet="ab \r\n\f\u2028😀")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", LineBreak.LF),
        ("no break", LineBreak.LF),
        ("a\nb", LineBreak.LF),
        ("a\r\nb", LineBreak.CRLF),
        ("a\rb", LineBreak.CR),
        ("a\r\nb\nc\r\nd", LineBreak.CRLF),
        ("a\nb\nc\r\nd", LineBreak.LF),
        ("a\nb\r\nc", LineBreak.LF),
        ("a\r\nb\nc", LineBreak.CRLF),
        ("a\r\nb\rc", LineBreak.CRLF),
    ],
)
def test_a_document_uses_its_most_frequent_line_break_or_the_first(
    text: str, expected: LineBreak
) -> None:
    assert line_break_of(text) is expected


@given(texts)
def test_the_model_sees_newlines_only(text: str) -> None:
    assert "\r" not in for_model(text)
    assert (
        for_model(text).count("\n")
        == len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1
    )


@given(texts, st.sampled_from(LineBreak))
def test_a_fill_comes_back_with_the_documents_line_breaks(fill: str, line_break: LineBreak) -> None:
    restored = in_document(for_model(fill), line_break)
    assert for_model(restored) == for_model(fill)
    assert line_break_of(restored) is line_break or "\n" not in for_model(fill)
    assert in_document(restored, line_break) == restored


@given(st.lists(st.sampled_from(["a", " ", "😀", "\n"])).map("".join), st.sampled_from(LineBreak))
def test_a_uniform_document_survives_the_round_trip(text: str, line_break: LineBreak) -> None:
    document = text.replace("\n", line_break)
    assert in_document(for_model(document), line_break_of(document)) == document
