"""How long to wait before a request is made again."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

ATTEMPTS = 5
"""How often a request is made at most."""

AGAIN = (429, 502, 503)
"""Answers with which a server says that it has not begun."""

FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0


def wait_before(attempt: int, told: str | None = None) -> float:
    """Seconds to wait; twice as many each time, and never for all clients the same.

    Args:
        attempt: the one that failed, from 0.
        told: the answer's ``Retry-After``, seconds or a date; what it says is the least.
    """
    wait = min(FIRST_WAIT * 2.0**attempt, LONGEST_WAIT) * random.uniform(0.5, 1.5)
    return max(wait, _seconds(told))


def _seconds(told: str | None) -> float:
    if not told:
        return 0.0
    if told.strip().isdecimal():
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return 0.0
