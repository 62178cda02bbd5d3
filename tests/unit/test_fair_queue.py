"""Whose request comes next."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.service.fair_queue import FairQueue


def taken(queue: FairQueue[str]) -> list[str]:
    found = []
    while (item := queue.take()) is not None:
        found.append(item)
    return found


def test_one_callers_requests_about_nothing_in_particular_are_taken_in_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in "abc":
        queue.add(item)
    assert taken(queue) == ["a", "b", "c"]


def test_callers_take_turns_however_much_one_of_them_asks() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(4):
        queue.add(f"greedy {number}", "greedy")
    for number in range(2):
        queue.add(f"modest {number}", "modest")
    assert taken(queue)[:4] == ["greedy 0", "modest 0", "greedy 1", "modest 1"]


def test_whoever_has_less_running_is_served_first() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.add("busy", "busy")
    queue.add("idle", "idle")
    running = Counter(busy=2)
    assert queue.take(running.__getitem__) == "idle"


def test_the_newest_request_of_a_document_is_taken_first() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.add("old", document="one")
    queue.add("other", document="two")
    queue.add("new", document="one")
    assert taken(queue) == ["new", "old", "other"]


def test_a_document_of_one_caller_is_not_that_of_another() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.add("a", "ann", "one")
    queue.add("b", "ben", "one")
    assert taken(queue) == ["a", "b"]


def test_only_what_came_before_is_taken_where_that_is_asked_for() -> None:
    queue: FairQueue[str] = FairQueue()
    last = queue.add("before", document="one")
    queue.add("behind", document="one")
    assert queue.take(up_to=last) == "before"
    assert queue.take(up_to=last) is None
    assert not queue.holds_up_to(last)
    assert queue.take() == "behind"


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(["", "d", "e"])), max_size=20),
    st.sets(st.integers(0, 19)),
)
def test_everything_is_taken_once_unless_it_was_removed(
    asked: list[tuple[str, str]], removed: set[int]
) -> None:
    queue: FairQueue[int] = FairQueue()
    for number, (caller, document) in enumerate(asked):
        queue.add(number, caller, document)
    for number in removed:
        queue.remove(number)
    found = []
    while (item := queue.take()) is not None:
        found.append(item)
    assert sorted(found) == [number for number in range(len(asked)) if number not in removed]
