"""``midfill stats`` as people call it."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from midfill.inference.errors import MidfillError, UsageError
from midfill.lsp.acceptance.counted import Counted, Event
from midfill.lsp.acceptance.database import open_for_writing, read_outcomes, write
from midfill.lsp.acceptance.offer import Circumstances, Latency, Source, Trigger
from midfill.lsp.acceptance.outcome import Ending, Outcome
from midfill.lsp.acceptance.state_folder import history_file
from midfill.lsp.stats_command import stats

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(stats)

LATENCY = Latency(wait=100, engine=200, encode=50, denoise=140, total=310)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_STATE_DIR", str(tmp_path / "state"))


def record(days_ago: float = 0.0, number: int = 12) -> None:
    """Have recorded some suggestions: a third is accepted, a third rejected, a third unseen."""
    at = time.time() - 86_400 * days_ago
    about = Circumstances(at, "python", Trigger.AUTOMATIC, Source.ENGINE, 0.55, 1, 10, LATENCY)
    rejected = Outcome("", about, Ending.REJECTED, 1.0)
    accepted = replace(rejected, ending=Ending.ACCEPTED, taken=10, kept=1.0, exact=True)
    kinds = accepted, rejected, replace(rejected, ending=Ending.UNSEEN)
    outcomes = [replace(kinds[n % 3], key=f"{days_ago} {n}") for n in range(number)]
    counts = [
        Counted(int(at // 3600), "python", Event.ASKED, "", 20),
        Counted(int(at // 3600), "python", Event.KEPT_BACK, "unlikely", 5),
    ]
    with closing(open_for_writing(history_file())) as connection:
        write(connection, outcomes, counts)


def call(*arguments: str, answer: str = "") -> str:
    """What the command prints; its errors are raised."""
    result = CliRunner().invoke(app, arguments, input=answer)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_tables_say_what_became_of_suggestions() -> None:
    record()
    printed = call()
    lines = [" ".join(line.replace("│", " ").split()) for line in printed.splitlines()]
    assert "shown 8" in lines
    assert "accepted 4 50%" in lines
    assert "characters saved 40 50%" in lines
    assert "python 8 4 50% (22–78%) 40" in lines
    assert "filling the hole 140 140 12" in lines
    assert "The suggestion was not likely enough to be right. 5" in lines


def test_json_is_one_object() -> None:
    record()
    found = json.loads(call("--json"))
    assert found["endings"]["accepted"] == 4
    assert found["all"]["acceptance"]["value"] == 0.5
    assert found["languages"][0]["name"] == "python"
    assert found["latencies"]["total"] == {"cases": 12, "p50": 310, "p95": 310}
    assert found["requests"]["asked"] == 20
    assert found["reasons"] == {"unlikely": 5}


def test_days_leave_out_what_is_older() -> None:
    record(days_ago=10)
    record(days_ago=1)
    assert json.loads(call("--json"))["all"]["shown"] == 16
    assert json.loads(call("--json", "--days", "5"))["all"]["shown"] == 8
    assert json.loads(call("--json", "--days", "5"))["requests"]["asked"] == 20


def test_nothing_recorded_is_said_kindly() -> None:
    assert "Nothing has been recorded yet" in call()
    assert "in the last 3 days" in call("--days", "3")
    assert json.loads(call("--json"))["since"] is None
    assert not history_file().parent.exists()


@pytest.mark.parametrize("name", ["figures.png", "figures.SVG"])
def test_a_picture_is_drawn(tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    record()
    call("--plot", str(tmp_path / name))
    begins = (tmp_path / name).read_bytes()[:300]
    assert begins.startswith(b"\x89PNG") or b"<svg" in begins or b"<?xml" in begins
    assert {path.name for path in tmp_path.iterdir()} == {name, "state"}


def test_a_picture_needs_a_name_that_says_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        call("--plot", str(tmp_path / "figures.jpg"))


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    record()
    with pytest.raises(MidfillError, match="cannot be written"):
        call("--plot", str(tmp_path / "missing" / "figures.png"))


def test_without_matplotlib_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MidfillError, match=r"pip install 'midfill\[train\]'"):
        call("--plot", str(tmp_path / "figures.png"))


def test_clearing_asks_first() -> None:
    record()
    result = CliRunner().invoke(app, ["--clear"], input="n\n")
    assert result.exit_code == 1
    assert len(read_outcomes(history_file(), 0)) == 12
    assert "deleted" in call("--clear", answer="y\n")
    assert read_outcomes(history_file(), 0) == []


def test_clearing_without_asking() -> None:
    record()
    assert "deleted" in call("--clear", "--yes")
    assert "Nothing has been recorded" in call()


@pytest.mark.parametrize("others", [("--json",), ("--days", "3"), ("--plot", "a.png")])
def test_clearing_goes_alone(others: tuple[str, ...]) -> None:
    record()
    with pytest.raises(UsageError, match="--clear"):
        call("--clear", "--yes", *others)
    assert len(read_outcomes(history_file(), 0)) == 12


def test_yes_alone_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="--yes"):
        call("--yes")


def test_a_damaged_file_is_named_with_what_to_do() -> None:
    file = history_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a database at all, " * 100)
    with pytest.raises(MidfillError, match="midfill stats --clear"):
        call()
    call("--clear", "--yes")
    assert "Nothing has been recorded" in call()
