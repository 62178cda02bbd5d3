from __future__ import annotations

from midfill.lsp.restart_policy import RestartPolicy


def test_waits_double_up_to_a_limit() -> None:
    policy = RestartPolicy(failures=99, first_delay=0.2, longest_delay=1.0)

    assert [policy.failed(now) for now in range(5)] == [0.2, 0.4, 0.8, 1.0, 1.0]


def test_the_fifth_failure_within_a_minute_is_the_last() -> None:
    policy = RestartPolicy()

    assert None not in [policy.failed(now) for now in range(4)]
    assert policy.failed(5) is None


def test_failures_far_apart_never_add_up() -> None:
    policy = RestartPolicy()

    assert {policy.failed(now) for now in range(0, 6000, 61)} == {0.2}


def test_after_having_stopped_a_request_may_try_once_after_the_pause() -> None:
    policy = RestartPolicy(failures=1, pause=30)
    assert policy.failed(100) is None

    assert policy.pause_left(110) == 20
    assert policy.pause_left(130) == 0
    assert policy.failed(131) is None
    assert policy.pause_left(132) > 0


def test_an_engine_that_stays_is_trusted_again() -> None:
    policy = RestartPolicy(failures=2)
    policy.failed(0)
    assert policy.failed(1) is None

    policy.held(seconds=61)

    assert policy.pause_left(2) == 0
    assert policy.failed(100) == 0.2
