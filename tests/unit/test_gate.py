from __future__ import annotations

import pytest
from knocking import CREDENTIALS, gate, knock

from midfill.inference.service import gate as gate_module
from midfill.inference.service import rates
from midfill.inference.service.callers import Credential, whose
from midfill.inference.service.rates import GUESS_SECONDS, GUESSES, CallerRates, Guesses


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_good_token_opens_and_names_its_holder() -> None:
    assert (await knock(gate(), "alpha")).text == "ann"
    assert (await knock(gate(), "beta")).text == "bob"


@pytest.mark.parametrize("token", ["", "gamma", "alph", "alpha2", "ALPHA"])
async def test_anything_else_stays_outside(token: str) -> None:
    answer = await knock(gate(), "", Authorization=f"Bearer {token}" if token else "")

    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"


def test_all_tokens_are_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[tuple[int, int]] = []
    compare = gate_module.whose.__globals__["hmac"].compare_digest

    def spy(one: bytes, other: bytes) -> bool:
        lengths.append((len(one), len(other)))
        return bool(compare(one, other))

    monkeypatch.setattr("midfill.inference.service.callers.hmac.compare_digest", spy)

    for token in ("alpha", "beta", "", "x" * 10_000):
        found = whose(token, CREDENTIALS)
        assert (found.name if found else None) == {"alpha": "ann", "beta": "bob"}.get(token)
    assert lengths == [(32, 32)] * 8


def test_no_token_is_kept_or_shown() -> None:
    assert "alpha" not in repr(Credential.of("ann", "alpha"))


async def test_who_guesses_too_often_is_not_compared_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0

    def counting(token: str, credentials: tuple[Credential, ...]) -> Credential | None:
        nonlocal compared
        compared += 1
        return whose(token, credentials)

    monkeypatch.setattr(gate_module, "whose", counting)
    door = gate()
    statuses = [(await knock(door, f"guess-{number}")).status_code for number in range(200)]
    right = await knock(door, "alpha")

    assert statuses == [401] * GUESSES + [429] * (200 - GUESSES)
    assert compared == GUESSES
    assert right.status_code == 429
    assert 0 < int(right.headers["Retry-After"]) <= GUESS_SECONDS
    assert (await knock(door, "alpha", address="192.0.2.2")).text == "ann"


async def test_requests_without_a_token_are_no_guesses() -> None:
    door = gate()
    for _ in range(2 * GUESSES):
        assert (await knock(door, "")).status_code == 401
    assert (await knock(door, "alpha")).text == "ann"


def test_a_guesser_is_listened_to_again_after_a_while() -> None:
    clock = Clock()
    guesses = Guesses(clock)
    for _ in range(GUESSES):
        clock.now += 1.0
        assert guesses.wait("192.0.2.1") == 0
        guesses.wrong("192.0.2.1")

    assert guesses.wait("192.0.2.1") == GUESS_SECONDS
    clock.now += GUESS_SECONDS / 2
    assert guesses.wait("192.0.2.1") == GUESS_SECONDS / 2
    clock.now += GUESS_SECONDS / 2 + 0.1
    assert guesses.wait("192.0.2.1") == 0


def test_guesses_from_one_network_count_together() -> None:
    guesses = Guesses(Clock())
    for number in range(GUESSES):
        guesses.wrong(f"2001:db8::{number:x}")

    assert guesses.wait("2001:db8::ffff") > 0
    assert guesses.wait("2001:db8:0:1::1") == 0
    for _ in range(GUESSES):
        guesses.wrong("::ffff:192.0.2.7")
    assert guesses.wait("192.0.2.7") > 0
    assert guesses.wait("192.0.2.8") == 0


def test_addresses_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "REMEMBERED", 50)
    guesses = Guesses(Clock())
    for number in range(500):
        guesses.wrong(f"10.0.{number // 250}.{number % 250}")
    assert len(guesses._wrong) == 50


def test_a_caller_has_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    limited = CallerRates(60, clock)

    burst = [limited.take("ann") for _ in range(11)]
    assert burst[:10] == [0.0] * 10
    assert burst[10] == pytest.approx(1.0)
    assert limited.take("bob") == 0
    clock.now += 1.0
    assert limited.take("ann") == 0
    assert limited.take("ann") == pytest.approx(1.0)
    clock.now += 3600
    assert [limited.take("ann") > 0 for _ in range(11)] == [False] * 10 + [True]


async def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    door = gate(rates=CallerRates(0.5))
    assert (await knock(door, "alpha")).status_code == 200

    answer = await knock(door, "alpha")

    assert answer.status_code == 429
    assert answer.json()["code"] == "too-many-requests"
    assert 118 <= int(answer.headers["Retry-After"]) <= 120
    assert (await knock(door, "beta")).status_code == 200


@pytest.mark.parametrize(
    ("hosts", "host", "status"),
    [
        (gate_module.LOOPBACK_NAMES, "127.0.0.1:80", 200),
        (gate_module.LOOPBACK_NAMES, "LOCALHOST", 200),
        (gate_module.LOOPBACK_NAMES, "[::1]:8443", 200),
        (gate_module.LOOPBACK_NAMES, "attacker.example:80", 403),
        (gate_module.LOOPBACK_NAMES, "127.0.0.1.attacker.example", 403),
        (frozenset({"fill.example"}), "fill.example:8443", 200),
        (frozenset({"fill.example"}), "fill.example", 200),
        (frozenset({"fill.example"}), "localhost", 403),
        (None, "whatever.example", 200),
    ],
)
async def test_a_request_has_to_name_this_server(
    hosts: frozenset[str] | None, host: str, status: int
) -> None:
    assert (await knock(gate(hosts=hosts), Host=host)).status_code == status


async def test_web_pages_are_not_answered_whatever_they_show() -> None:
    assert (await knock(gate(hosts=None), Origin="https://fill.example")).status_code == 403


async def test_what_is_closed_is_closed_to_all() -> None:
    door = gate(closed=("/v1/drain",))
    assert (await knock(door, path="/v1/drain")).status_code == 403
    assert (await knock(door, path="/v1/infill")).status_code == 200


async def test_a_token_for_the_figures_opens_them_alone_and_alone_opens_them() -> None:
    door = gate(metrics_caller="bob")

    for path, ann, bob in (
        ("/metrics", 403, 200),
        ("/v1/infill", 200, 403),
        ("/health", 200, 200),
        ("/health/deep", 200, 200),
    ):
        assert (await knock(door, "alpha", path)).status_code == ann
        assert (await knock(door, "beta", path)).status_code == bob
