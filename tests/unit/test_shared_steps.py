"""Fills that share what they want of a model."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.errors import Cancelled
from midfill.inference.shared_steps import (
    Kind,
    SharedSteps,
    fills_sharing,
    let_others,
    shared,
)

SLOTS_TOGETHER = 48
"""Of one pass, unless one wish has more."""


@dataclass
class Wish:
    """Wants its own name back; contexts go alone."""

    name: str
    kind: Kind = Kind.STEP
    slots: int = 4
    log: list[list[str]] = field(default_factory=list)
    fails_beside_others: bool = False
    fails: bool = False

    def joins(self, others: list[Wish]) -> bool:
        slots = self.slots + sum(other.slots for other in others)
        return self.kind is not Kind.CONTEXT and slots <= SLOTS_TOGETHER

    def together(self, others: list[Wish]) -> list[object]:
        if others and (self.fails_beside_others or any(it.fails for it in others)):
            raise MemoryError
        if self.fails:
            raise ValueError(self.name)
        self.log.append([self.name, *(it.name for it in others)])
        return [self.name, *(it.name for it in others)]


def run(steps: SharedSteps, rounds: int = 1000) -> None:
    for _ in range(rounds):
        if not len(steps):
            return
        steps.advance()
    raise AssertionError("it never ends")


def never() -> bool:
    return False


KINDS = st.sampled_from(Kind)
FILLS = st.lists(st.lists(st.tuples(KINDS, st.integers(0, 60)), max_size=6), max_size=6)


@given(FILLS)
def test_each_fill_gets_what_it_wanted_in_its_own_order(
    fills: list[list[tuple[Kind, int]]],
) -> None:
    steps, got = SharedSteps(), [[] for _ in fills]
    log: list[list[str]] = []

    def work(number: int) -> None:
        for place, (kind, slots) in enumerate(fills[number]):
            got[number].append(shared(Wish(f"{number}.{place}", kind, slots, log)))

    for number in range(len(fills)):
        steps.begin(lambda number=number: work(number), never)
    run(steps)

    assert got == [
        [f"{n}.{place}" for place in range(len(wishes))] for n, wishes in enumerate(fills)
    ]
    wanted = {f"{n}.{p}": wish for n, wishes in enumerate(fills) for p, wish in enumerate(wishes)}
    for names in log:
        kinds = {wanted[name][0] for name in names}
        assert len(kinds) == 1
        if len(names) > 1:
            assert Kind.CONTEXT not in kinds
            assert sum(wanted[name][1] for name in names) <= SLOTS_TOGETHER


def test_steps_of_all_fills_are_computed_in_one_pass() -> None:
    steps, log = SharedSteps(), []
    for name in "abc":
        steps.begin(lambda name=name: shared(Wish(name, log=log)), never)
    run(steps)
    assert log == [["a", "b", "c"]]


def test_a_fill_joins_between_two_steps_of_another() -> None:
    steps, log = SharedSteps(), []
    steps.begin(lambda: [shared(Wish("a", log=log)) for _ in range(3)], never)
    steps.advance()
    steps.begin(lambda: shared(Wish("b", log=log)), never)
    run(steps)
    assert log == [["a"], ["a", "b"], ["a"]]


def test_a_long_context_and_steps_take_turns() -> None:
    steps, log = SharedSteps(), []
    steps.begin(lambda: [shared(Wish("context", Kind.CONTEXT, log=log)) for _ in range(3)], never)
    steps.begin(lambda: [shared(Wish("step", log=log)) for _ in range(3)], never)
    run(steps)
    assert [names[0] for names in log] == ["step", "context"] * 3


def test_two_contexts_take_turns() -> None:
    steps, log = SharedSteps(), []
    for name in "ab":
        wish = Wish(name, Kind.CONTEXT, log=log)
        steps.begin(lambda wish=wish: [shared(wish) for _ in range(2)], never)
    run(steps)
    assert log == [["a"], ["b"], ["a"], ["b"]]


def test_whoever_did_not_fit_into_a_pass_is_in_the_next() -> None:
    steps, log = SharedSteps(), []
    for name in "abc":
        wish = Wish(name, slots=SLOTS_TOGETHER // 2, log=log)
        steps.begin(lambda wish=wish: [shared(wish) for _ in range(2)], never)
    run(steps)
    assert log[:3] == [["a", "b"], ["c", "a"], ["b", "c"]]


def test_nothing_is_computed_for_a_cancelled_fill_and_it_is_told() -> None:
    steps, log, told = SharedSteps(), [], []

    def work() -> None:
        try:
            shared(Wish("gone", log=log))
        except Cancelled:
            told.append("cancelled")

    steps.begin(work, lambda: True)
    steps.begin(lambda: shared(Wish("here", log=log)), never)
    run(steps)
    assert (log, told) == ([["here"]], ["cancelled"])


def test_what_fails_beside_others_is_computed_alone() -> None:
    steps, log = SharedSteps(), []
    for name in "ab":
        wish = Wish(name, log=log, fails_beside_others=True)
        steps.begin(lambda wish=wish: shared(wish), never)
    run(steps)
    assert log == [["a"], ["b"]]


def test_a_failure_reaches_only_the_fill_that_caused_it() -> None:
    steps, log, failed = SharedSteps(), [], []

    def bad() -> None:
        try:
            shared(Wish("bad", log=log, fails=True))
        except ValueError as error:
            failed.append(str(error))

    steps.begin(lambda: shared(Wish("good", log=log)), never)
    steps.begin(bad, never)
    run(steps)
    assert (log, failed) == ([["good"]], ["bad"])


def test_outside_of_a_fill_everything_is_computed_at_once() -> None:
    assert shared(Wish("alone")) == "alone"
    assert fills_sharing() == 1
    let_others()  # there are none
    with pytest.raises(ValueError, match="bad"):
        shared(Wish("bad", fails=True))


def test_a_fill_knows_how_many_share() -> None:
    steps, seen = SharedSteps(), []

    def look() -> None:
        seen.append(fills_sharing())
        let_others()
        seen.append(fills_sharing())

    steps.begin(look, never)
    steps.begin(lambda: None, never)
    run(steps)
    assert seen == [2, 1]


def test_fills_end_when_all_of_it_stops_whether_they_have_begun_or_not() -> None:
    steps, ended = SharedSteps(), []

    def work() -> None:
        try:
            shared(Wish("a"))
            shared(Wish("a"))
        except Cancelled:
            ended.append("a")

    steps.begin(work, never)
    steps.advance()
    steps.begin(lambda: ended.append("never begun"), never)
    steps.stop()
    assert (ended, len(steps)) == (["a"], 0)
