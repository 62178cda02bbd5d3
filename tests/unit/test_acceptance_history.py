"""Records of suggestions: kept for the user alone, whatever the disk does, by several windows."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from midfill.inference.errors import MidfillError
from midfill.lsp.acceptance import database, history
from midfill.lsp.acceptance.counted import Counted, Event
from midfill.lsp.acceptance.database import clear, open_for_writing, read_counts, read_outcomes
from midfill.lsp.acceptance.history import History
from midfill.lsp.acceptance.offer import Circumstances, Latency, Source, Trigger
from midfill.lsp.acceptance.outcome import Ending, Outcome
from midfill.lsp.acceptance.state_folder import history_file

HOUR = 480_000
NOW = 3600.0 * HOUR

LATENCY = Latency(wait=10.0, engine=200.0, encode=50.0, denoise=140.0, total=215.0)
CIRCUMSTANCES = Circumstances(NOW, "python", Trigger.AUTOMATIC, Source.ENGINE, 0.5, 1, 8, LATENCY)
OUTCOME = Outcome("key", CIRCUMSTANCES, Ending.ACCEPTED, 1.5, 2, 6, 0.75, False, True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "midfill" / "suggestions.sqlite3"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "GATHERING_SECONDS", 0.0)
    monkeypatch.setattr(history, "RETRY_SECONDS", 0.05)


def numbered(number: int) -> Outcome:
    return replace(OUTCOME, key=f"key {number}")


def outcomes_in(file: Path, least: int) -> list[Outcome]:
    """What was written, as soon as there is enough of it."""
    for _ in range(500):
        found = read_outcomes(file, 0) if file.exists() else []
        if len(found) >= least:
            return found
        time.sleep(0.01)
    pytest.fail("nothing was written")


def test_an_outcome_comes_back_as_it_was(file: Path) -> None:
    other = replace(OUTCOME, key="other", ending=Ending.UNSEEN, kept=None, exact=None)
    kept = History(file)
    kept.add(OUTCOME)
    kept.add(other)
    kept.close()
    assert read_outcomes(file, 0) == [OUTCOME, other]
    assert read_outcomes(file, NOW + 1) == []


def test_counts_add_up_by_hour_language_and_reason(file: Path) -> None:
    kept = History(file, lambda: NOW)
    for language in ("python", "go", "python"):
        kept.count(Event.ASKED, language)
        kept.count(Event.KEPT_BACK, language, "unlikely")
    kept.close()
    again = History(file, lambda: NOW + 1)
    again.count(Event.ASKED, "go")
    again.close()
    assert sorted(read_counts(file, 0), key=lambda one: (one.language, one.event)) == [
        Counted(HOUR, "go", Event.ASKED, "", 2),
        Counted(HOUR, "go", Event.KEPT_BACK, "unlikely", 1),
        Counted(HOUR, "python", Event.ASKED, "", 2),
        Counted(HOUR, "python", Event.KEPT_BACK, "unlikely", 2),
    ]
    assert read_counts(file, NOW + 3600) == []


def test_the_same_outcome_counts_once(file: Path) -> None:
    for _ in range(2):
        kept = History(file)
        kept.add(OUTCOME)
        kept.close()
    assert read_outcomes(file, 0) == [OUTCOME]


def test_nothing_is_made_before_there_is_something_to_keep(file: Path) -> None:
    History(file).close()
    assert not file.parent.exists()


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_only_the_user_can_read_it(file: Path) -> None:
    file.parent.mkdir(parents=True, mode=0o755)
    kept = History(file)
    kept.add(OUTCOME)
    outcomes_in(file, 1)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert f"{file.name}-wal" in modes
    kept.close()


def test_several_windows_write_at_once(file: Path) -> None:
    program = f"""
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_acceptance_history import OUTCOME, numbered
from midfill.lsp.acceptance import history
from midfill.lsp.acceptance.counted import Event
history.GATHERING_SECONDS = 0.001
history.CLOSING_SECONDS = 60
kept = history.History(Path(sys.argv[1]), lambda: {NOW})
for number in range(50):
    kept.add(numbered(1000 * int(sys.argv[2]) + number))
    kept.count(Event.ASKED, "python")
kept.close()
"""
    windows = [
        subprocess.Popen([sys.executable, "-c", program, str(file), str(number)])
        for number in range(4)
    ]
    assert [window.wait(60) for window in windows] == [0] * 4
    assert len(read_outcomes(file, 0)) == 200
    assert [one.count for one in read_counts(file, 0)] == [200]


def test_a_damaged_file_is_set_aside_with_one_line_in_the_log(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a database at all, " * 100)
    kept = History(file)
    for number in range(3):
        kept.add(numbered(number))
        outcomes_in_new_file(file, number + 1)
    kept.close()
    assert len(read_outcomes(file, 0)) == 3
    [aside] = database.set_aside_files(file)
    assert aside.read_bytes().startswith(b"not a database")
    [line] = caplog.records
    assert "damaged" in line.getMessage()


def outcomes_in_new_file(file: Path, least: int) -> None:
    for _ in range(500):
        try:
            if len(read_outcomes(file, 0)) >= least:
                return
        except MidfillError:
            pass
        time.sleep(0.01)
    pytest.fail("nothing was written")


def test_a_file_that_is_damaged_while_it_is_open_is_set_aside(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = History(file)
    kept.add(numbered(1))
    outcomes_in(file, 1)
    with closing(sqlite3.connect(file)) as other:
        other.execute("DROP TABLE outcomes")
    kept.add(numbered(2))
    kept.close()
    assert [outcome.key for outcome in read_outcomes(file, 0)] == ["key 2"]
    assert len(caplog.records) == 1


def test_a_file_that_another_window_has_set_aside_is_left_to_it(file: Path) -> None:
    kept = History(file)
    kept.add(numbered(1))
    outcomes_in(file, 1)
    database.set_aside(file)
    kept.add(numbered(2))
    kept.close()
    assert [outcome.key for outcome in read_outcomes(file, 0)] == ["key 2"]


def test_a_full_disk_delays_records_and_is_logged_once(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def full(*_: object) -> None:
        tries.append(1)
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as disk:
        disk.setattr(history, "write", full)
        kept = History(file)
        kept.add(OUTCOME)
        while len(tries) < 3:
            time.sleep(0.01)
    assert outcomes_in(file, 1) == [OUTCOME]
    kept.close()
    [line] = caplog.records
    assert "disk is full" in line.getMessage()


def test_a_locked_file_delays_records(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with closing(open_for_writing(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        kept = History(file)
        kept.add(OUTCOME)
        time.sleep(0.3)
        assert read_outcomes(file, 0) == []
        other.execute("COMMIT")
    assert outcomes_in(file, 1) == [OUTCOME]
    kept.close()


def test_a_place_that_cannot_be_written_to_disturbs_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    kept = History(tmp_path / "file" / "suggestions.sqlite3")
    for number in range(100):
        kept.add(numbered(number))
        kept.count(Event.ASKED, "python")
    kept.close()
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING


def test_a_backlog_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "GATHERING_SECONDS", 60.0)
    kept = History(file)
    for number in range(history.MOST_WAITING + 7):
        kept.add(numbered(number))
        kept.count(Event.KEPT_BACK, "python", str(number))
    kept.close()
    assert len(read_outcomes(file, 0)) == history.MOST_WAITING
    assert sum(one.count for one in read_counts(file, 0)) == history.MOST_WAITING


def test_records_that_cannot_be_written_do_not_hold_up_the_others(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = History(file)
    kept.add(replace(OUTCOME, circumstances=replace(CIRCUMSTANCES, confidence=float("nan"))))
    while not caplog.records:
        time.sleep(0.01)
    kept.add(numbered(2))
    kept.close()
    assert [outcome.key for outcome in read_outcomes(file, 0)] == ["key 2"]


def test_any_language_name_can_be_kept(file: Path) -> None:
    kept = History(file)
    kept.add(replace(OUTCOME, circumstances=replace(CIRCUMSTANCES, language="\ud800" + "x" * 99)))
    kept.close()
    [outcome] = read_outcomes(file, 0)
    assert outcome.circumstances.language == "?" + "x" * 39


def test_the_file_of_a_later_version_is_left_alone(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_for_writing(file)) as later:
        later.execute("PRAGMA user_version = 99")
    kept = History(file)
    kept.add(OUTCOME)
    while not caplog.records:
        time.sleep(0.01)
    kept.add(OUTCOME)
    kept.close()
    with pytest.raises(MidfillError, match="later version"):
        read_outcomes(file, 0)
    with closing(sqlite3.connect(file)) as later:
        assert later.execute("SELECT count(*) FROM outcomes").fetchone() == (0,)


def test_the_oldest_beyond_a_bound_are_dropped(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MOST_OUTCOMES", 5)
    monkeypatch.setattr(database, "MOST_COUNTS", 5)
    with closing(open_for_writing(file)) as connection:
        for number in range(9):
            counted = Counted(HOUR + number, "python", Event.ASKED, "", 1)
            database.write(connection, [numbered(number)], [counted])
    assert [outcome.key for outcome in read_outcomes(file, 0)] == [f"key {n}" for n in range(4, 9)]
    assert [one.hour - HOUR for one in read_counts(file, 0)] == [4, 5, 6, 7, 8]


def test_a_write_that_fails_halfway_leaves_nothing(file: Path) -> None:
    broken = replace(OUTCOME, key="broken", seconds=float("nan"))
    with closing(open_for_writing(file)) as connection:
        with pytest.raises(sqlite3.IntegrityError):
            database.write(connection, [OUTCOME, broken], [])
        database.write(connection, [numbered(2)], [])
    assert [outcome.key for outcome in read_outcomes(file, 0)] == ["key 2"]


def test_clearing_deletes_all_while_a_window_is_open(file: Path) -> None:
    kept = History(file)
    kept.add(numbered(1))
    kept.count(Event.ASKED, "python")
    outcomes_in(file, 1)
    (file.parent / "suggestions.corrupt-1.sqlite3").write_text("old")
    clear(file)
    assert read_outcomes(file, 0) == []
    assert read_counts(file, 0) == []
    assert not database.set_aside_files(file)
    assert b"key 1" not in b"".join(path.read_bytes() for path in file.parent.iterdir())
    kept.add(numbered(2))
    kept.close()
    assert [outcome.key for outcome in read_outcomes(file, 0)] == ["key 2"]


def test_clearing_a_damaged_file_removes_it(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a database at all, " * 100)
    with pytest.raises(MidfillError, match="damaged"):
        read_outcomes(file, 0)
    clear(file)
    assert read_outcomes(file, 0) == []


def test_clearing_nothing_is_fine(file: Path) -> None:
    clear(file)
    assert not file.exists()


def test_no_file_holds_nothing(file: Path) -> None:
    assert read_outcomes(file, 0) == []
    assert read_counts(file, 0) == []
    assert not file.parent.exists()


def test_the_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIDFILL_STATE_DIR", str(tmp_path))
    assert tmp_path in history_file().parents
    monkeypatch.delenv("MIDFILL_STATE_DIR")
    assert "midfill" in history_file().parts
