"""The context of a document stays as it is, as long as it is good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from context_workspace import functions, piece

from midfill.lsp.context.assembling import cost
from midfill.lsp.context.freshness import Moment, is_time
from midfill.lsp.context.plan import ContextPlan
from midfill.lsp.context.snippet import Stability
from midfill.lsp.context.view import view_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.lsp.context.snippet import Snippet
    from midfill.lsp.context.view import View

HERE = view_at("file:///w/here.py", ["x = 1\n"], 0)
THERE = view_at("file:///w/there.py", ["y = 2\n"], 0)
A, B, C = (piece(functions(name, 2), 0.5, path=f"{name}.py") for name in "abc")


class Offer:
    """What is on offer, and what has become false."""

    def __init__(self, *snippets: Snippet) -> None:
        self.snippets: Sequence[Snippet] = snippets
        self.false: set[Snippet] = set()
        self.asked = 0

    def candidates(self, at: View) -> Sequence[Snippet]:
        self.asked += 1
        return self.snippets

    def plan(self, tokens: int = 1000) -> ContextPlan:
        return ContextPlan(self.candidates, lambda snippet: snippet not in self.false, tokens)


def paths(plan: ContextPlan, at: View = HERE, *, fresh: bool = False) -> list[str]:
    return [file.path for file in plan.files(at, fresh=fresh)]


def test_typing_leaves_the_context_as_it_is_whatever_else_is_on_offer() -> None:
    offer = Offer(A)
    plan = offer.plan()
    first = plan.files(HERE)
    offer.snippets = [B, C]

    assert [plan.files(HERE) for _ in range(10)] == [first] * 10
    assert offer.asked == 1


def test_when_it_is_asked_for_better_context_takes_its_place() -> None:
    offer = Offer(A)
    plan = offer.plan()
    plan.files(HERE)
    offer.snippets = [B, C]

    assert paths(plan, fresh=True) == ["b.py", "c.py"]


def test_what_is_nearly_as_good_as_the_best_stays() -> None:
    offer = Offer(A)
    plan = offer.plan(cost(A))
    plan.files(HERE)
    offer.snippets = [A, piece(functions("d", 2), 0.55, path="d.py")]

    assert paths(plan, fresh=True) == ["a.py"]


def test_what_does_not_hold_any_more_is_dropped_at_once_and_the_rest_stays() -> None:
    offer = Offer(A, B, C)
    plan = offer.plan()
    plan.files(HERE)
    offer.false = {B}

    assert paths(plan) == ["a.py", "c.py"]
    assert offer.asked == 1


def test_what_does_not_hold_is_never_chosen() -> None:
    offer = Offer(A, B)
    offer.false = {A}

    assert paths(offer.plan()) == ["b.py"]


def test_documents_have_their_own_context() -> None:
    offer = Offer(A)
    plan = offer.plan()
    plan.files(HERE)
    offer.snippets = [B]

    assert paths(plan, THERE) == ["b.py"]
    assert paths(plan, HERE) == ["a.py"]


def test_a_document_that_was_closed_begins_anew() -> None:
    offer = Offer(A)
    plan = offer.plan()
    plan.files(HERE)
    plan.forget(HERE.uri)
    offer.snippets = [B]

    assert paths(plan) == ["b.py"]


def test_without_a_budget_nobody_is_asked_for_anything() -> None:
    offer = Offer(A)

    assert offer.plan(0).files(HERE, fresh=True) == ()
    assert offer.asked == 0


def test_the_same_offer_gives_the_same_context_in_any_order() -> None:
    volatile = piece(functions("e", 1), 0.9, Stability.EDITED, "e.py")
    forward = Offer(A, B, volatile).plan().files(HERE)

    assert forward == Offer(volatile, B, A).plan().files(HERE)
    assert forward[-1].path == "e.py"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (Moment(100, frozenset({"a"}), 2), False),
        (Moment(160, frozenset({"a"}), 2), False),
        (Moment(161, frozenset({"a"}), 2), True),
        (Moment(39, frozenset({"a"}), 2), True),
        (Moment(100, frozenset({"a", "b"}), 2), True),
        (Moment(100, frozenset(), 2), False),
        (Moment(100, frozenset({"a"}), 3), True),
    ],
)
def test_it_is_time_after_a_jump_a_pause_or_a_new_import(now: Moment, expected: bool) -> None:
    assert is_time(Moment(100, frozenset({"a"}), 2), now) is expected
    assert is_time(None, now)
