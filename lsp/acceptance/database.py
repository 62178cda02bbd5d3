"""The file with records of suggestions: SQLite, of the user alone, shared by all editor windows."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from midfill.inference.errors import MidfillError
from midfill.lsp.acceptance.counted import HOUR, Counted, Event
from midfill.lsp.acceptance.offer import Circumstances, Latency, Source, Trigger
from midfill.lsp.acceptance.outcome import Ending, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BUSY_SECONDS = 5.0
"""So long another process may be writing."""

MOST_OUTCOMES = 200_000
MOST_COUNTS = 200_000
"""Rows beyond these are dropped, the oldest first."""

LONGEST_WORD = 40
"""Characters of a language's name: it is the editor's, and may be anything."""

_STAGES = ("wait", "engine", "encode", "denoise", "total")
_STAGE_NAMES = ", ".join(f"{stage}_ms" for stage in _STAGES)

MIGRATIONS = (
    """
    CREATE TABLE outcomes (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        at REAL NOT NULL,
        language TEXT NOT NULL,
        trigger TEXT NOT NULL,
        source TEXT NOT NULL,
        confidence REAL NOT NULL,
        lines INTEGER NOT NULL,
        characters INTEGER NOT NULL,
        wait_ms REAL NOT NULL,
        engine_ms REAL NOT NULL,
        encode_ms REAL NOT NULL,
        denoise_ms REAL NOT NULL,
        total_ms REAL NOT NULL,
        ending TEXT NOT NULL,
        seconds REAL NOT NULL,
        typed INTEGER NOT NULL,
        taken INTEGER NOT NULL,
        kept REAL,
        exact INTEGER,
        confirmed INTEGER NOT NULL
    );
    CREATE INDEX outcomes_at ON outcomes (at);
    CREATE TABLE counts (
        hour INTEGER NOT NULL,
        language TEXT NOT NULL,
        event TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (hour, language, event, reason)
    ) WITHOUT ROWID;
    """,
)
"""Statements that make each version of the file out of the one before; the first of an empty one.

They are never changed once released: a new version is a new entry.
"""


class NewerHistory(MidfillError):
    """The file was written by a later version of Midfill."""

    code = "newer-history"


def open_for_writing(file: Path) -> sqlite3.Connection:
    """Open the file, make it if it is not there, and bring it up to date.

    Raises:
        OSError, sqlite3.Error: it cannot be opened; `is_corrupt` tells whose fault that is.
        NewerHistory: it has to be left alone.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # SQLite gives its side files the permissions of the file itself.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    with suppress(PermissionError):
        file.parent.chmod(0o700)
        file.chmod(0o600)
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Have readers and a writer not wait for each other.

    SQLite does not wait by itself where two processes switch a new file at once.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def _migrate(connection: sqlite3.Connection) -> None:
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been quicker
        if version > len(MIGRATIONS):
            raise NewerHistory(
                "the statistics were written by a later version of Midfill: update this one"
            )
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def write(
    connection: sqlite3.Connection, outcomes: Iterable[Outcome], counts: Iterable[Counted]
) -> None:
    """Add records, all or none, and drop the oldest beyond the bounds."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        rows = [_row(outcome) for outcome in outcomes]
        marks = ", ".join("?" * 20)
        names = f"key, at, language, trigger, source, confidence, lines, characters, {_STAGE_NAMES}"
        connection.executemany(
            f"INSERT INTO outcomes ({names}, ending, seconds, typed, taken, kept, exact,"
            f" confirmed) VALUES ({marks}) ON CONFLICT (key) DO NOTHING",
            rows,
        )
        connection.executemany(
            "INSERT INTO counts VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(one.hour, _word(one.language), one.event, one.reason, one.count) for one in counts],
        )
        connection.execute(
            "DELETE FROM outcomes WHERE id <= (SELECT max(id) FROM outcomes) - ?", [MOST_OUTCOMES]
        )
        connection.execute(
            "DELETE FROM counts WHERE hour <= "
            "(SELECT hour FROM counts ORDER BY hour DESC LIMIT 1 OFFSET ?)",
            [MOST_COUNTS],
        )
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _word(text: str) -> str:
    """An editor's word as it can be kept: short, and no half of a character in it."""
    return text[:LONGEST_WORD].encode(errors="replace").decode()


def _row(outcome: Outcome) -> tuple[object, ...]:
    about = outcome.circumstances
    return (
        outcome.key,
        about.at,
        _word(about.language),
        about.trigger,
        about.source,
        about.confidence,
        about.lines,
        about.characters,
        *(getattr(about.latency, stage) for stage in _STAGES),
        outcome.ending,
        outcome.seconds,
        outcome.typed,
        outcome.taken,
        outcome.kept,
        outcome.exact,
        outcome.confirmed,
    )


def read_outcomes(file: Path, since: float) -> list[Outcome]:
    """The records of suggestions that were offered since a time, oldest first; none without a file.

    Args:
        since: in seconds since the epoch.

    Raises:
        MidfillError: the file cannot be read.
    """
    with _reading(file) as connection:
        return [_outcome(row) for row in connection.execute(_READ_OUTCOMES, [since])]


def read_counts(file: Path, since: float) -> list[Counted]:
    """The numbers of all hours that ended after a time; none without a file.

    Raises:
        MidfillError: the file cannot be read.
    """
    query = "SELECT hour, language, event, reason, count FROM counts WHERE hour >= ? ORDER BY hour"
    known = set(Event)
    with _reading(file) as connection:
        return [
            Counted(hour, language, Event(event), reason, count)
            for hour, language, event, reason, count in connection.execute(query, [since // HOUR])
            if event in known
        ]


def clear(file: Path) -> None:
    """Delete all that was ever recorded, and what was set aside as corrupt.

    Raises:
        MidfillError: it cannot be deleted.
    """
    with _explained(file):
        for old in set_aside_files(file):
            old.unlink()
        if not file.exists():
            return
        try:
            with closing(open_for_writing(file)) as connection:
                connection.execute("DELETE FROM outcomes")
                connection.execute("DELETE FROM counts")
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
            for name in _names(file):
                name.unlink(missing_ok=True)


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether the file is to blame, not who else uses it or where it is."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or (
        # the tables are not those that the version promises
        code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such ", "table "))
    )


def set_aside(file: Path) -> Path:
    """Give a corrupt file another name, so that a new one can be begun.

    Returns:
        the new name.

    Raises:
        OSError: it cannot be renamed.
    """
    aside = file.with_name(f"{file.stem}.corrupt-{time.time_ns()}{file.suffix}")
    for name, new in zip(_names(file), _names(aside), strict=True):
        with suppress(FileNotFoundError):
            name.rename(new)
    return aside


def set_aside_files(file: Path) -> list[Path]:
    """Corrupt files that were set aside, with what belongs to them."""
    return sorted(file.parent.glob(f"{file.stem}.corrupt-*"))


def _names(file: Path) -> tuple[Path, ...]:
    return tuple(file.with_name(file.name + end) for end in ("", "-wal", "-shm"))


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection with tables of this version; empty ones without a file."""
    with _explained(file), closing(_connection_for_reading(file)) as connection:
        yield connection


def _connection_for_reading(file: Path) -> sqlite3.Connection:
    if not file.exists():
        connection = sqlite3.connect(":memory:", isolation_level=None)
        _migrate(connection)
        return connection
    address = f"{file.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)
    try:
        version = _version(connection)
    except BaseException:
        connection.close()
        raise
    if version == len(MIGRATIONS):
        return connection
    connection.close()
    return open_for_writing(file)


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Put into words what is wrong with the file."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        if isinstance(error, sqlite3.Error) and is_corrupt(error):
            why = "it is damaged; `midfill stats --clear` deletes it"
        else:
            why = getattr(error, "strerror", None) or str(error)
        raise MidfillError(f"the statistics in {file} cannot be used: {why}") from error


_READ_OUTCOMES = (
    "SELECT key, at, language, trigger, source, confidence, lines, characters, "
    f"{_STAGE_NAMES}, ending, seconds, typed, taken, kept, exact, confirmed "
    "FROM outcomes WHERE at >= ? ORDER BY at"
)


def _outcome(row: tuple[Any, ...]) -> Outcome:
    key, at, language, trigger, source, confidence, lines, characters, *rest = row
    latency, rest = Latency(**dict(zip(_STAGES, rest, strict=False))), rest[len(_STAGES) :]
    ending, seconds, typed, taken, kept, exact, confirmed = rest
    about = Circumstances(
        at, language, Trigger(trigger), Source(source), confidence, lines, characters, latency
    )
    known = None if exact is None else bool(exact)
    return Outcome(key, about, Ending(ending), seconds, typed, taken, kept, known, bool(confirmed))
