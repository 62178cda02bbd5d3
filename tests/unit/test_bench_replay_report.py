"""The report of a replay: tables, JSON, and the HTML page with its plots."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from bench_writers import CODE, FakeWriter, report_of
from rich.console import Console

from midfill.inference.busy_watch import BusyWatch
from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.measuring.replay import plots
from midfill.inference.measuring.replay.growth import GrowthSample, Series, measure_growth
from midfill.inference.measuring.replay.html_report import check_html, page, write_html
from midfill.inference.measuring.replay.tables import notes, tables
from midfill.inference.progress import nobody_listens

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.measuring.replay.report import ReplayReport

NAMES = {"llama.cpp Q4_0": "Q4_0"}


def writers(*others: str) -> list[FakeWriter]:
    return [FakeWriter("midfill"), *(FakeWriter(name, ms=30) for name in others)]


def growth() -> list[GrowthSample]:
    server = (Series.FILE_LINES_SERVER, Series.DOCUMENTS_SERVER)
    return [
        *measure_growth(
            FakeWriter("midfill"),
            (CODE,),
            0,
            nobody_listens,
            file_lines=(50, 500),
            hole_tokens=(1, 16),
            documents=(1, 3),
        ),
        *(GrowthSample(series, size, 0, 0, 2.0) for series in server for size in (50, 500)),
    ]


def printed(report: ReplayReport) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        for table in tables(report):
            console.print(table)
    return captured.get() + "\n".join(notes(report))


def svgs(report: ReplayReport) -> list[str]:
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page(report))
    return [base64.b64decode(one).decode() for one in found]


def test_tables_say_what_was_measured_and_how_sure_it_is() -> None:
    text = printed(report_of(writers("llama.cpp Q4_0"), quantisations=NAMES, growth=growth()))

    for wanted in (
        "time to suggestion",
        "median (5 %–95 %)",
        "10 (10–10)",
        "3.00× (3.00–3.00; 9)",
        "reading",
        "3 lines typed 1 times",
        "against llama.cpp Q4_0, where both wrote the same text (9 suggestions)",
        "lines of the file, warm",
        "50 → 500 lines of the file: a warm suggestion takes 12 → 12 ms",
        "within the 1.2× that it may be",
        "native kernels",
    ):
        assert wanted in text


def test_it_says_when_figures_are_not_to_be_relied_on() -> None:
    assert "not to be relied on" in printed(report_of(writers(), others_busy=1.2))
    assert "not to be relied on" not in printed(report_of(writers(), others_busy=0.1))


def test_a_run_that_was_broken_off_says_so_and_prints_what_there_is() -> None:
    ours = FakeWriter("midfill", fail_at={3: KeyboardInterrupt()})
    text = printed(report_of([ours]))

    assert "broken off" in text
    assert "cold" in text

    nothing = FakeWriter("midfill", fail_at={0: KeyboardInterrupt()})
    assert "broken off" in printed(report_of([nothing]))
    assert svgs(report_of([FakeWriter("midfill", fail_at={0: KeyboardInterrupt()})])) == []


def test_one_that_was_left_out_is_named_with_the_reason() -> None:
    other = FakeWriter("other", fail_at={5: MidfillError("it broke")})

    assert "other was left out: it broke" in printed(report_of([FakeWriter("midfill"), other]))


def test_json_has_the_comparison_with_llama_cpp_and_no_source_text() -> None:
    report = report_of(writers("llama.cpp Q4_0"), quantisations=NAMES, growth=growth())
    text = json.dumps(report.as_json())
    found = json.loads(text)

    assert {"speedup", "ours_ms", "theirs_ms", "n"} <= found["vs_llamacpp"].keys()
    assert found["vs_llamacpp"]["speedup"] == pytest.approx(3.0)
    assert found["writers"][0]["kinds"]["cold"]["ms"]["median"] == pytest.approx(10)
    assert len(found["samples"]) == 18
    assert "total_of" not in text
    assert "total_of" in CODE.text


def test_the_page_has_every_plot_and_needs_nothing_from_elsewhere() -> None:
    report = report_of(writers("llama.cpp Q4_0"), quantisations=NAMES, growth=growth())
    drawn, text = svgs(report), page(report)

    assert len(drawn) == 5 + len(Series)
    for svg in drawn:
        ElementTree.fromstring(svg)
    assert any("llama.cpp Q4_0" in svg for svg in drawn)
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert "<script" not in text
    assert "default-src 'none'" in text


def test_acceptance_is_counted_step_by_step_where_that_is_known() -> None:
    told = report_of(writers()).samples[0]
    assert (told.tokens, told.steps) == (6, 3)
    assert plots.accepted_tokens(told) == (3, 2, 1)
    assert plots.accepted_tokens(replace(told, step_tokens=())) == ()
    one_by_one = replace(told, tokens=4, steps=4, step_tokens=())
    assert plots.accepted_tokens(one_by_one) == (1, 1, 1, 1)


def test_names_on_the_page_are_text_and_nothing_else() -> None:
    report = report_of(writers("<img src=x>[bold]"))

    assert "&lt;img src=x&gt;[bold]" in page(report)
    assert "<img src=x>" not in page(report)
    assert "<img src=x>[bold]" in printed(report)


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "bench.html"
    file.write_text("before")
    write_html(report_of(writers()), file)

    assert file.read_text("utf-8").endswith("</html>\n")
    assert list(tmp_path.iterdir()) == [file]


def test_a_page_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bench.html"
    file.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(MidfillError, match="cannot be written: No space left"):
        write_html(report_of(writers()), file)

    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_page_that_could_not_be_written_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_html(tmp_path / "bench.html")
    for wrong in (tmp_path, tmp_path / "nowhere" / "bench.html"):
        with pytest.raises(UsageError, match="cannot be written"):
            check_html(wrong)

    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MidfillError, match=r"pip install 'midfill\[bench\]'"):
        plots.need_matplotlib()


def test_what_others_took_is_what_we_did_not() -> None:
    before, later = BusyWatch(0.0, 100.0, 10.0), BusyWatch(10.0, 130.0, 25.0)

    assert before.until(later) == pytest.approx(1.5)
    assert before.until(before) == 0.0
    assert BusyWatch(0.0, 0.0, 0.0).until(BusyWatch(1.0, 1.0, 2.0)) == 0.0
