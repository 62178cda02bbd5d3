"""How many tokens are guessed at each step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.pace import MOST_FOUND, Pace, Verified

EXPECTED = (0.8, 0.7, 0.6)


def test_where_slots_are_free_as_many_as_possible_are_guessed() -> None:
    assert Pace({1: 1.0, 2: 1.0, 3: 1.0}, EXPECTED).guesses() == 3


def test_where_slots_cost_as_much_as_steps_few_are_guessed() -> None:
    assert Pace({1: 1.0, 2: 2.0, 3: 3.0}, EXPECTED).guesses() == 1


def test_the_expected_tokens_a_second_decide() -> None:
    # 1.8, 2.36 and 2.696 tokens a step
    assert Pace({1: 1.0, 2: 1.3, 3: 1.6}, EXPECTED).guesses() == 2
    assert Pace({1: 1.0, 2: 1.32, 3: 1.6}, EXPECTED).guesses() == 1


def test_guesses_that_turn_out_wrong_make_it_guess_less_and_right_ones_more() -> None:
    pace = Pace({1: 1.0, 2: 1.3, 3: 1.6}, EXPECTED)
    pace.note([Verified(3, 1)] * 100)
    assert pace.guesses() == 1
    pace.note([Verified(3, 3)] * 200)
    assert pace.guesses() == 3


def test_guesses_behind_a_wrong_one_say_nothing() -> None:
    costs = {1: 1.0, 2: 1.2, 3: 1.4}
    untouched, pace = Pace(costs, EXPECTED), Pace(costs, EXPECTED)
    pace.note([Verified(3, 0), Verified(3, 3)])
    untouched.note([Verified(1, 0), Verified(3, 3)])
    pairs = zip(vars(pace).values(), vars(untouched).values(), strict=True)
    assert all(one == other for one, other in pairs)


def test_more_is_looked_up_where_slots_are_cheap_and_what_is_found_is_right() -> None:
    costly, cheap = (Pace({1: 1.0, 2: cost, 3: 2 * cost - 1}, EXPECTED) for cost in (2.5, 1.01))
    assert 0 < costly.found_tokens() < cheap.found_tokens() <= MOST_FOUND

    before = costly.found_tokens()
    costly.note_found([Verified(4, 4)] * 50)
    assert costly.found_tokens() > before
    costly.note_found([Verified(4, 0)] * 300)
    assert costly.found_tokens() == 0


def test_what_a_first_step_looks_up_is_judged_by_itself() -> None:
    pace = Pace({1: 1.0, 2: 1.5, 3: 2.0}, EXPECTED)
    behind, first = pace.found_tokens(), pace.started_tokens()
    assert first > 0
    pace.note_started([Verified(4, 0)] * 300)
    assert pace.started_tokens() == 0
    assert pace.found_tokens() == behind


def test_beliefs_are_trusted_unless_they_fail_or_guesses_cost_nothing() -> None:
    pace = Pace({1: 1.0, 2: 1.5, 3: 2.0}, EXPECTED)
    assert pace.trusts_beliefs()
    pace.note_belief([Verified(5, 0)] * 300)
    assert not pace.trusts_beliefs()
    pace.note_belief([Verified(5, 5)] * 500)
    assert pace.trusts_beliefs()
    assert not Pace({1: 1.0, 2: 1.0, 3: 1.0}, EXPECTED).trusts_beliefs()


def test_without_two_costs_to_compare_nothing_is_looked_up() -> None:
    assert Pace({3: 1.0}, EXPECTED).found_tokens() == 0


@given(
    st.dictionaries(st.integers(1, 3), st.floats(1e-4, 1e3), min_size=1),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=50),
)
def test_it_always_names_a_number_whose_cost_is_known(
    costs: dict[int, float], steps: list[tuple[int, int]]
) -> None:
    pace = Pace(costs, EXPECTED)
    pace.note(Verified(max(pair), min(pair)) for pair in steps)
    assert pace.guesses() in costs
