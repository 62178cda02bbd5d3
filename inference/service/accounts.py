"""What one request cost, noted where it becomes known, for the access log and the figures.

An account is opened around each request and found again through a context variable, so that the
routes need not hand it on. Figures and names only: never text, paths or tokens.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.wire import Final


@dataclass(slots=True)
class Account:
    """One HTTP request.

    Attributes:
        began: on the monotonic clock, in seconds.
        refusal: the code of what it was refused or failed with.
        queue: seconds that the fill waited for its turn.
        final: the figures of its fill, without its text.
    """

    began: float = field(default_factory=time.monotonic)
    refusal: str = ""
    queue: float = 0.0
    final: Final | None = None


_present: ContextVar[Account | None] = ContextVar("account", default=None)


def open_account() -> Account:
    """Begin the account of the request that this task answers."""
    account = Account()
    _present.set(account)
    return account


def note_refusal(code: str) -> None:
    """The present request was refused, or failed."""
    if account := _present.get():
        account.refusal = code


def fill_noter() -> Callable[[Final], None]:
    """To be called when a fill is queued; what is returned notes the fill when it is finished.

    How long it waited is what its own time does not explain.
    """
    account, asked = _present.get(), time.monotonic()

    def note(final: Final) -> None:
        if account:
            account.final = final.model_copy(update={"text": "", "alternatives": ()})
            account.queue = max(0.0, time.monotonic() - asked - final.ms.total / 1e3)

    return note
