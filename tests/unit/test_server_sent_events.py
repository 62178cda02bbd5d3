from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.server_sent_events import Event, EventReader, encode
from midfill.inference.wire import Draft


@given(st.lists(st.text(max_size=20), max_size=4), st.integers(1, 7))
def test_events_arrive_whole_however_they_are_cut(texts: list[str], size: int) -> None:
    sent = b"".join(encode("draft", Draft(text=text).model_dump_json()) for text in texts)

    reader = EventReader()
    read = [
        event for at in range(0, len(sent), size) for event in reader.feed(sent[at : at + size])
    ]

    assert [Draft.model_validate_json(event.data).text for event in read] == texts


def test_characters_that_look_like_line_ends_do_not_end_an_event() -> None:
    text = "a\u2028b\u0085c\r\nd\ve"

    (event,) = EventReader().feed(encode("final", Draft(text=text).model_dump_json()))

    assert event.name == "final"
    assert Draft.model_validate_json(event.data).text == text


def test_a_comment_is_an_event_without_a_name() -> None:
    assert EventReader().feed(b": still there\n\n") == [Event("", b"")]
