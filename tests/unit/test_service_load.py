"""The benchmark of a server under load: kinds of requests, and what an engine carries."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from service_load import Typing, person, table, verdict
from service_load_figures import ENOUGH, STEP, Kind, Outcome, carried, kind_of, spread

from midfill.inference.server_sent_events import encode
from midfill.inference.wire import Final, Stop


@pytest.mark.parametrize(
    ("typed", "suggested", "kind"),
    [
        ("", None, Kind.NEW_LINE),
        ("x\n  ", "x = 1", Kind.NEW_LINE),
        ("x =", "x = 1", Kind.HELD),
        ("x = 1", "x = 1", Kind.TYPED_ON),
        ("y =", "x = 1", Kind.TYPED_ON),
        ("y =", "", Kind.TYPED_ON),
    ],
)
def test_a_request_is_of_the_kind_that_the_last_answer_makes_it(
    typed: str, suggested: str | None, kind: Kind
) -> None:
    assert kind_of(typed, suggested) is kind


def answering(text: str, status: int = 200, *, steps: int = 1) -> httpx.AsyncClient:
    """A client of an engine that writes one text whatever it is asked."""
    final = Final(text=text, confidence=1, stop=Stop.LINE_END, model="m", tokens=1, steps=steps)

    def answer(request: httpx.Request) -> httpx.Response:
        content = encode("final", final.model_dump_json())
        return httpx.Response(status, headers={"Retry-After": "0"}, content=content)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://engine")


async def test_what_is_typed_as_suggested_is_counted_as_held_until_it_is_all_typed() -> None:
    typing = Typing("above\n", "abcdefghi\nabc", "")
    outcome, _ = await person(answering("abcdef"), typing, "abcdefgh", end=1e12, pause=0)

    # "abc" holds; "def" and "ghi" are not how "abcdef" begins, which is said each time
    assert {kind: len(times) for kind, times in outcome.seconds.items()} == {
        Kind.HELD: 1,
        Kind.TYPED_ON: 2,
        Kind.NEW_LINE: 1,
    }


async def test_a_refusal_leaves_the_last_suggestion_in_its_place() -> None:
    outcome, _ = await person(answering("", 429), Typing("", "abcdefg", ""), "abcd", 1e12, 0)
    assert outcome.refused == 2
    assert not any(outcome.seconds.values())


async def test_nobody_asks_after_the_end_however_long_they_think() -> None:
    outcome, _ = await person(answering("x"), Typing("", "abcdefg", ""), None, 0.0, pause=1e6)
    assert outcome.figures()["requests"] == 0


async def test_a_step_takes_its_part_of_the_time_of_its_fill() -> None:
    outcome, _ = await person(answering("x", steps=4), Typing("", "abcd", ""), None, 1e12, 0)
    (seconds,) = outcome.seconds[Kind.NEW_LINE]
    assert outcome.a_step == [seconds / 4]


def test_figures_stand_over_all_and_for_each_kind() -> None:
    outcome = Outcome(lasted=2.0)
    outcome.seconds[Kind.HELD] += [0.1] * 19 + [0.2]
    outcome.seconds[Kind.NEW_LINE] += [1.0, 1.0]
    outcome.a_step += [0.1, 0.1, 0.2]
    figures = outcome.figures()

    assert (figures["requests"], figures["requests_a_second"]) == (22, 11)
    assert figures["p95_to_p50"] > 2
    assert figures["kinds"]["held"]["p95_to_p50"] == pytest.approx(1.05)
    assert figures["kinds"]["new line"]["p50_ms"] == 1000
    assert figures["kinds"]["typed on"]["p50_ms"] is None
    assert figures[STEP]["p50_ms"] == 100


def a_round(people: int, slowest: float, engine: str = "e", refused: int = 0) -> dict[str, Any]:
    outcome = Outcome(lasted=1.0, refused=refused)
    for seconds in outcome.seconds.values():
        seconds += [0.1] * ENOUGH
    outcome.seconds[Kind.NEW_LINE] += [slowest] * (ENOUGH // 4)
    outcome.a_step += [0.1] * ENOUGH
    return {"people": people, "engine": engine, **outcome.figures()}


def test_a_load_is_carried_while_no_smaller_one_is_too_much() -> None:
    rounds = [a_round(1, 0.11), a_round(2, 0.12), a_round(4, 9.0), a_round(8, 0.11)]
    assert carried(rounds)["e"] == {"new line": 2, "typed on": 8, "held": 8, STEP: 8}


def test_who_is_refused_is_not_carried() -> None:
    assert carried([a_round(1, 0.1), a_round(2, 0.1, refused=1)])["e"]["held"] == 1


def test_of_a_few_requests_nothing_is_concluded() -> None:
    few = a_round(1, 0.1)
    few["kinds"]["held"] = spread([0.1] * (ENOUGH - 1))
    assert carried([few])["e"]["held"] == 0


def test_the_table_has_a_row_for_each_kind_and_the_verdict_names_all() -> None:
    rounds = [a_round(1, 0.1), a_round(1, 9.0, engine="f")]
    assert table(rounds, "f").row_count == 1 + len(Kind) + 1
    assert "f: new line none, typed on 1, held 1, a step 1" in verdict(rounds)
