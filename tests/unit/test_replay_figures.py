"""From what happened in a replay to its figures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from replay.figures import Spread, figures, spread
from replay.overhead import summed_up, verdicts
from replay.places import long_file
from replay.report import overhead_tables, replay_tables
from replay.tally import Fate, Request, Tally
from rich.console import Console

from midfill.inference.measuring.language_server.document import Document
from midfill.inference.measuring.language_server.places import NoPlace, ends_of_statements
from midfill.inference.measuring.language_server.rounds import (
    ASKED,
    EDIT_ALONE,
    THROUGH_KEY,
    Sample,
)
from midfill.lsp.acceptance.counted import Counted, Event
from midfill.lsp.acceptance.offer import Circumstances, Latency, Source, Trigger
from midfill.lsp.acceptance.outcome import Ending, Outcome
from midfill.lsp.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.table import Table


def printed(tables: Iterable[Table]) -> str:
    output = io.StringIO()
    for table in tables:
        Console(file=output, width=160).print(table)
    return output.getvalue()


def outcome(source: Source, latency: Latency) -> Outcome:
    about = Circumstances(0.0, "python", Trigger.AUTOMATIC, source, 0.5, 1, 9, latency)
    return Outcome("key", about, Ending.IGNORED, 1.0)


TALLY = Tally(
    traces=1,
    keys=90,
    spared=12,
    written=200,
    accepted=50,
    acceptances=2,
    in_part=1,
    suggestions=5,
    read=4,
    seconds=60.0,
    requests=[
        Request(Fate.IN_TIME, 4.0, typed_through=True),
        Request(Fate.IN_TIME, 400.0),
        Request(Fate.NOTHING, 2.0),
        Request(Fate.OVERTAKEN, None),
    ],
)
COUNTS = [
    Counted(1, "python", Event.ASKED, "", 3),
    Counted(2, "python", Event.ASKED, "", 1),
    Counted(1, "python", Event.ENGINE, "", 1),
    Counted(1, "python", Event.KNOWN, "", 1),
    Counted(1, "python", Event.SHOWN, "", 2),
    Counted(1, "python", Event.KEPT_BACK, "inside-word", 1),
    Counted(2, "python", Event.KEPT_BACK, "superseded", 1),
]
OUTCOMES = [
    outcome(Source.ENGINE, Latency(wait=100, engine=300, encode=50, denoise=240, total=401)),
    outcome(Source.MEMORY, Latency(total=2)),
]


def test_percentiles_are_values_that_were_measured() -> None:
    assert spread([5.0, 1.0, 9.0]) == Spread(5.0, 9.0, 3)
    assert spread(map(float, range(101))) == Spread(50.0, 95.0, 101)
    assert spread([]) == Spread(0.0, 0.0, 0)


def test_requests_are_counted_by_what_became_of_them() -> None:
    found = figures(TALLY, COUNTS, OUTCOMES)
    assert found.requests == {"made": 4, "in_time": 2, "nothing": 1, "overtaken": 1}
    assert found.server == {"asked": 4, "engine": 1, "known": 1, "shown": 2, "kept-back": 2}
    assert found.kept_back == {"inside-word": 1, "superseded": 1}


def test_what_is_saved_is_a_share_of_what_is_written() -> None:
    shares = figures(TALLY, COUNTS, OUTCOMES).shares
    assert shares["characters_saved"] == 50 / 200
    assert shares["keys_saved"] == (12 - 2) / (90 + 12)
    assert shares["requests_without_engine"] == 3 / 4
    assert shares["read_suggestions_accepted"] == 2 / 4


def test_typing_through_has_a_latency_of_its_own() -> None:
    latency = figures(TALLY, COUNTS, OUTCOMES).latency
    assert latency["typed_through"] == Spread(4.0, 4.0, 1)
    assert latency["shown"].n == 2
    assert latency["nothing"] == Spread(2.0, 2.0, 1)


def test_stages_are_of_suggestions_that_the_engine_was_asked_for() -> None:
    stages = figures(TALLY, COUNTS, OUTCOMES).stages
    assert stages["wait"] == Spread(100, 100, 1)
    assert stages["total"] == Spread(401, 401, 1)


def test_a_replay_in_which_nothing_happened_has_figures_too() -> None:
    found = figures(Tally(), [], [])
    assert found.shares["characters_saved"] is None
    assert "–" in printed(replay_tables(found))


def test_the_tables_say_what_was_found() -> None:
    text = printed(replay_tables(figures(TALLY, COUNTS, OUTCOMES)))
    assert "50 (25.0%)" in text
    assert "The cursor stands inside a word." in text
    assert "401 ms" in text


TEXT_OF_FILE = "a = 1\n" * 10
BUSY = [(1.0, 1.5), (2.0, 2.5), (9.0, 9.5)]


def at_places(kind: str, *seconds: float) -> list[Sample]:
    places = ("top", "middle", "end")
    return [Sample(kind, place, 100, 100 + s) for place, s in zip(places, seconds, strict=True)]


def test_the_engines_time_is_taken_off() -> None:
    samples = [Sample(ASKED, "top", 0.9, 1.6), Sample(ASKED, "top", 2.25, 3.0)]
    found = summed_up(samples, BUSY, TEXT_OF_FILE)
    assert found.spreads[ASKED]["top"].p50 == pytest.approx(200)
    assert found.spreads[ASKED]["all"].p95 == pytest.approx(500)
    assert found.engine.p50 == pytest.approx(500)


def test_time_in_which_the_engine_was_idle_counts_in_full() -> None:
    found = summed_up([Sample(ASKED, "top", 3.0, 4.0)], BUSY, TEXT_OF_FILE)
    assert found.spreads[ASKED]["all"].p50 == pytest.approx(1000)


def test_targets_are_met_or_missed() -> None:
    samples = [
        *at_places(ASKED, 0.004, 0.004, 0.020),
        *at_places(THROUGH_KEY, 0.001, 0.001, 0.002),
        *at_places(EDIT_ALONE, 0.002, 0.002, 0.002),
    ]
    found = summed_up(samples, [], TEXT_OF_FILE)
    assert [one.met for one in verdicts(found)] == [True, False, True, False, True]
    assert "MISSED" in printed(overhead_tables(found))


def test_places_are_near_the_top_in_the_middle_and_near_the_end() -> None:
    text = "\n".join(["def f():", "    a = b", "    return a", ""] * 100)
    places = ends_of_statements(text)
    assert [text.count("\n", 0, at) for at in places.values()] == [1, 201, 397]
    assert all(text[:at].endswith("    a = b") for at in places.values())


def test_a_file_without_statements_has_no_place() -> None:
    with pytest.raises(NoPlace):
        ends_of_statements("import a\n")


def test_a_long_file_is_made_of_the_folders_own_files(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1\nb = 2\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "c.py").write_text("c = 3\n")
    assert long_file(tmp_path, 5) == "a = 1\nb = 2\na = 1\nb = 2\na = 1\n"


def test_files_with_other_characters_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "b.py").write_text("b = 'é'\n")
    assert long_file(tmp_path, 2, ascii_only=True) == "a = 1\na = 1\n"
    assert "é" in long_file(tmp_path, 2)


@pytest.mark.parametrize(("text", "width"), [("a\n", 1), ("é\n", 1), ("–\n", 2), ("🙂\n", 4)])
def test_the_widest_character_decides_the_size_of_a_text(text: str, width: int) -> None:
    assert summed_up([], [], text).bytes == width


def test_a_folder_without_code_makes_no_long_file(tmp_path: Path) -> None:
    with pytest.raises(NoPlace):
        long_file(tmp_path, 5)


TEXT = st.text(st.sampled_from("ab é🙂\n\t\u2028"), max_size=30)


@given(TEXT, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), TEXT), max_size=8))
def test_the_server_has_the_same_text_after_any_edits(
    text: str, edits: list[tuple[int, int, str]]
) -> None:
    uri = "file:///a.py"
    ours = Document(uri, "python", text)
    store = DocumentStore(None)
    store.put_text_document(types.TextDocumentItem(uri, "python", 1, text))
    for one, other, new in edits:
        start, end = sorted(min(at, len(ours.text)) for at in (one, other))
        params = ours.replace(start, end, new)
        [change] = params["contentChanges"]
        ends = (types.Position(**change["range"][name]) for name in ("start", "end"))
        store.update_text_document(
            types.VersionedTextDocumentIdentifier(ours.version, uri),
            types.TextDocumentContentChangePartial(types.Range(*ends), change["text"]),
        )
    assert store.get_text_document(uri).source == ours.text
