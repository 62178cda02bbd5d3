"""The replay: who is asked when, and what is kept if something goes wrong."""

from __future__ import annotations

import pytest
from bench_writers import CODE, FakeWriter, rest_of_line

from midfill.inference.errors import MidfillError
from midfill.inference.measuring.replay.replaying import Moment, Replay, Typing, replay
from midfill.inference.measuring.replay.typed_line import choose_lines
from midfill.inference.progress import nobody_listens

LINES = choose_lines((CODE,), 3, 0)
TYPING = Typing(every=5, most=2, settle=0.0)
REQUESTS = 9  # three of each line


def replayed(*writers: FakeWriter, rounds: int = 1) -> Replay:
    typing = Typing(every=5, most=2, rounds=rounds, settle=0.0)
    return replay(writers, LINES, typing, nobody_listens)


def test_all_answer_the_same_requests_one_right_after_the_other() -> None:
    calls: list[tuple[str, str]] = []
    a, b = FakeWriter("a", calls=calls), FakeWriter("b", calls=calls)
    found = replayed(a, b)

    assert a.requests == b.requests
    assert found.answers["a"].keys() == found.answers["b"].keys()
    wrote = [name for name, what in calls if what == "write"]
    assert all({one, two} == {"a", "b"} for one, two in zip(wrote[::2], wrote[1::2], strict=True))
    assert wrote[:4] in (["a", "b", "b", "a"], ["b", "a", "a", "b"])


def test_one_request_before_is_not_counted() -> None:
    writer = FakeWriter("a")
    found = replayed(writer, rounds=2)

    assert len(writer.requests) == 2 * REQUESTS + 1
    assert len(found.answers["a"]) == 2 * REQUESTS


def test_a_line_begins_in_a_document_that_was_never_seen() -> None:
    writer = FakeWriter("a")
    found = replayed(writer)

    one_line = [("a", "new"), *[("a", "write")] * 3]
    assert writer.calls == [("a", "new"), ("a", "write"), *one_line * 3]
    assert [key.moment for key in found.answers["a"]] == [
        Moment.COLD,
        Moment.WARM,
        Moment.WARM,
    ] * 3


def test_a_suggestion_holds_as_long_as_it_is_what_is_typed() -> None:
    right = FakeWriter("right")
    wrong = FakeWriter("wrong", text=lambda request: "something else")
    short = FakeWriter("short", text=lambda request: rest_of_line(request)[:5])
    found = replayed(right, wrong, short)

    def held(name: str) -> set[bool]:
        return {one.held for key, one in found.answers[name].items() if key.moment == Moment.WARM}

    assert held("right") == {True}
    assert held("wrong") == {False}
    assert held("short") == {False}  # all of it is typed: nothing of it is left to show
    assert not any(
        answer.held for key, answer in found.answers["right"].items() if key.moment == Moment.COLD
    )


def test_another_one_that_fails_is_left_out_from_there_on() -> None:
    ours = FakeWriter("ours")
    other = FakeWriter("other", fail_at={4: MidfillError("it broke")})
    found = replayed(ours, other)

    assert found.failures == {"other": "it broke"}
    assert len(found.answers["other"]) == 3
    assert len(other.requests) == 5
    assert len(found.answers["ours"]) == REQUESTS


def test_our_own_failure_ends_it() -> None:
    with pytest.raises(MidfillError, match="no model"):
        replayed(FakeWriter("ours", fail_at={2: MidfillError("no model")}), FakeWriter("other"))


@pytest.mark.parametrize("at", [0, 1, 5])
def test_what_was_measured_before_ctrl_c_is_kept(at: int) -> None:
    found = replayed(FakeWriter("ours", fail_at={at: KeyboardInterrupt()}))

    assert found.interrupted
    assert len(found.answers["ours"]) == max(0, at - 1)


def test_there_is_a_rest_before_each_suggestion() -> None:
    rests: list[float] = []
    typing = Typing(every=5, most=2, settle=0.25)
    replay([FakeWriter("a"), FakeWriter("b")], LINES, typing, nobody_listens, rests.append)

    assert rests == [0.25] * 2 * (REQUESTS + 1)
