"""Whatever ends a middle, the engine takes nothing back that was certain before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from midfill.inference.filling import Task, joined
from midfill.inference.service.facade.certain_text import CertainText
from midfill.inference.stopping import Surroundings, find_end, finished_part
from midfill.inference.text.line_breaks import in_document, line_break_of
from midfill.inference.wire import Extent, HoleSpan, InfillRequest, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

code = st.lists(
    st.sampled_from(["a", "b", "foo", " ", "    ", "\n", "(", ")", "=", ":", '"', "\n    foo"]),
    max_size=14,
).map("".join)


def _request(prefix: str, suffix: str, extent: Extent) -> InfillRequest:
    at = len(prefix)
    hole = HoleSpan(start=at, end=at, extent=extent)
    return InfillRequest(prefix=prefix, suffix=suffix, holes=(hole,))


def test_of_one_line_all_but_a_last_word_is_certain() -> None:
    certain = CertainText(_request("x = ", "\nprint(x)\n", Extent.LINE))

    assert certain.of("make(1, tw") == "make(1,"


def test_a_statement_is_certain_like_a_line() -> None:
    certain = CertainText(_request("x = ", "\n    2,\n", Extent.STATEMENT))

    assert certain.of("[\n    1,\n    thr") == "[\n    1,"
    assert certain.of("[\n    1,\n    2,") == "[\n    1,"


def test_of_several_lines_the_first_is_certain_once_it_is_finished() -> None:
    certain = CertainText(_request("x = ", "\nprint(x)\n", Extent.LINES))

    assert certain.of("make(") == ""
    assert certain.of("make(\n    1,\n") == "make("


def test_nothing_is_certain_where_code_follows_on_the_line() -> None:
    certain = CertainText(_request("print(", ")\n", Extent.LINE))

    assert certain.of("a, b") == ""


def test_a_line_that_may_become_the_next_one_is_not_certain() -> None:
    certain = CertainText(_request("", "\ntotal = 0\n", Extent.LINE))

    assert certain.of("total = ") == ""
    assert certain.of("total = x ") == "total = x"


def test_certain_text_has_the_line_breaks_of_the_document() -> None:
    certain = CertainText(_request("def f():", "\r\nx\r\n", Extent.LINE))

    assert certain.of("\n    return 1") == "\r\n    return"


@given(code, code, code, st.sampled_from(list(Extent)))
@example("", "\nfoo\n", "foo\n", Extent.LINE)
def test_every_possible_end_keeps_what_was_certain(
    prefix: str, suffix: str, middle: str, extent: Extent
) -> None:
    request = _request(prefix, suffix, extent)
    certain = CertainText(request)
    around = Surroundings.of(prefix, suffix, extent)
    told = ""
    for length in range(1, len(middle) + 1):
        written = middle[:length]
        for text in _ends(written, request, around):
            assert in_document(text, line_break_of(prefix + suffix)).startswith(told)
        if find_end(written, around, extent):
            return
        if len(now := certain.of(written)) > len(told):
            assert now.startswith(told)
            told = now


def _ends(written: str, request: InfillRequest, around: Surroundings) -> Iterator[str]:
    """What the embedded model's filler may hand back once so much is written."""
    extent = request.hole.extent
    task = Task(request.prefix, request.suffix, "", extent, b"", 64, 0.0)
    if ending := find_end(written, around, extent):
        yield joined(written[: ending.at], ending.stop, task, around)
        return
    yield joined(written, Stop.END_TOKEN, task, around)
    yield joined(finished_part(written, extent), Stop.TOKEN_LIMIT, task, around)
    if extent.several_lines:
        for at in (at for at, character in enumerate(written) if character == "\n"):
            if written[:at].strip():
                yield joined(written[:at].rstrip(), Stop.LIKELY_END, task, around)
