from __future__ import annotations

import pytest

from midfill.inference.errors import EngineBusy, MidfillError, TooManyRequests
from midfill.lsp.patience import LONGEST, Patience


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refusal(retry_after: float | None) -> MidfillError:
    error = TooManyRequests("too often")
    error.retry_after = retry_after
    return error


def test_who_was_told_a_time_is_refused_until_then() -> None:
    clock = Clock()
    patience = Patience(clock)
    patience.need()

    patience.note(refusal(5.0))

    clock.now = 4.0
    assert patience.left == 1.0
    with pytest.raises(TooManyRequests, match="too often") as again:
        patience.need()
    assert again.value.retry_after == 1.0
    clock.now = 5.0
    assert patience.left == 0
    patience.need()


def test_other_errors_are_nothing_to_wait_for() -> None:
    patience = Patience(Clock())
    patience.note(refusal(None))
    patience.note(EngineBusy("busy"))
    patience.need()


@pytest.mark.parametrize(("told", "waited"), [(1e9, LONGEST), (-5.0, 0.0)])
def test_nobody_is_kept_waiting_for_ever(told: float, waited: float) -> None:
    patience = Patience(Clock())
    patience.note(refusal(told))
    assert patience.left == waited
