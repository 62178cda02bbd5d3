"""Records of suggestions on their way to the disk, which may be slow, full, locked or broken."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING

from midfill.lsp.acceptance.counted import HOUR, Counted, Event
from midfill.lsp.acceptance.database import (
    NewerHistory,
    is_corrupt,
    open_for_writing,
    set_aside,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from midfill.lsp.acceptance.outcome import Outcome

log = logging.getLogger(__name__)

GATHERING_SECONDS = 1.0
"""So long records are gathered before they are written together."""

RETRY_SECONDS = 30.0
"""So long a disk that refused is left in peace."""

MOST_WAITING = 5_000
"""So many outcomes, and as many numbers, wait for such a disk; beyond that the oldest are lost."""

CLOSING_SECONDS = 2.0

_UNWRITABLE = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ValueError,
    OverflowError,
)
"""What is wrong with the records, not with the disk: they would never get through."""


class History:
    """Writes records from one thread of its own, which begins with the first of them.

    Nothing here fails or waits: what goes wrong with the disk is a line in the log, once.
    """

    def __init__(self, file: Path, wall_clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            file: of the database; its folder may be missing.
            wall_clock: in seconds since the epoch.
        """
        self._file = file
        self._wall_clock = wall_clock
        self._changed = threading.Condition()
        self._outcomes: deque[Outcome] = deque(maxlen=MOST_WAITING)
        self._counts: Counter[tuple[int, str, Event, str]] = Counter()
        self._closing = False
        self._given_up = False
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._last_failure = ""

    def add(self, outcome: Outcome) -> None:
        """Record what became of a suggestion."""
        with self._changed:
            if not self._over:
                self._outcomes.append(outcome)
                self._wake()

    def count(self, event: Event, language: str, reason: str = "") -> None:
        """Count something that happened to a request just now."""
        hour = int(self._wall_clock() // HOUR)
        key = hour, language, event, reason
        with self._changed:
            if not self._over and (key in self._counts or len(self._counts) < MOST_WAITING):
                self._counts[key] += 1
                self._wake()

    def close(self, wait: float | None = None) -> None:
        """Write what is left.

        Args:
            wait: seconds that the disk is given; `CLOSING_SECONDS` unless given.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(CLOSING_SECONDS if wait is None else wait)

    @property
    def _over(self) -> bool:
        return self._closing or self._given_up

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="history", daemon=True)
            self._thread.start()
        else:
            self._changed.notify()

    def _run(self) -> None:
        while self._wait_for_records():
            self._pause(GATHERING_SECONDS)
            if not self._write_all():
                self._pause(RETRY_SECONDS)
        if self._connection:
            with suppress(sqlite3.Error):
                self._connection.close()

    def _wait_for_records(self) -> bool:
        """Wait until there is something to write; false if there is nothing and will not be."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._outcomes or self._counts)
            return not self._given_up and bool(self._outcomes or self._counts)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)

    def _write_all(self) -> bool:
        """Write what is there; false if it has to be tried again later."""
        with self._changed:
            outcomes, counts = [*self._outcomes], self._counts.copy()
            closing = self._closing
        rows = [Counted(*key, number) for key, number in counts.items()]
        written = self._try(outcomes, rows)
        with self._changed:
            if written or closing or self._given_up:
                self._forget(outcomes, counts)
        return written or self._given_up

    def _try(self, outcomes: list[Outcome], counts: list[Counted]) -> bool:
        try:
            try:
                write(self._connected(), outcomes, counts)
            except sqlite3.DatabaseError as error:
                if not is_corrupt(error):
                    raise
                self._begin_anew()
                write(self._connected(), outcomes, counts)
        except NewerHistory as error:
            self._given_up = True
            self._log_once(f"statistics are not kept: {error}")
        except _UNWRITABLE as error:
            self._log_once(f"some statistics were lost: {type(error).__name__}")
            return True
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            what = getattr(error, "strerror", None) or str(error)
            self._log_once(f"statistics cannot be written: {what}")
        else:
            self._last_failure = ""
            return True
        return False

    def _connected(self) -> sqlite3.Connection:
        """The connection, to what has the file's name by now: others may have set it aside."""
        if self._connection and self._inode_now() != self._inode:
            self._disconnect()
        if self._connection is None:
            self._inode = self._inode_now()
            self._connection = open_for_writing(self._file)
            self._inode = self._inode_now()
        return self._connection

    def _begin_anew(self) -> None:
        """Set a corrupt file aside, unless another process has done so meanwhile.

        Raises:
            OSError: it cannot be renamed.
        """
        self._disconnect()
        if self._inode_now() == self._inode:
            set_aside(self._file)
            log.warning("the statistics were damaged: they are set aside and begun anew")

    def _disconnect(self) -> None:
        if self._connection:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _inode_now(self) -> int | None:
        try:
            return self._file.stat().st_ino
        except OSError:
            return None

    def _forget(
        self, outcomes: list[Outcome], counts: Counter[tuple[int, str, Event, str]]
    ) -> None:
        """Let go of what was written; more may have come meanwhile."""
        for outcome in outcomes:
            if self._outcomes and self._outcomes[0] is outcome:
                self._outcomes.popleft()
        self._counts -= counts

    def _log_once(self, message: str) -> None:
        """A disk that refuses goes on refusing."""
        if message != self._last_failure:
            log.warning("%s", message)
        self._last_failure = message
