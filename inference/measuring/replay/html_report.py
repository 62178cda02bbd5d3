"""A report as one HTML file that needs nothing from anywhere else."""

from __future__ import annotations

import os
import tempfile
from base64 import b64encode
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.measuring.replay.plots import need_matplotlib, pictures
from midfill.inference.measuring.replay.tables import notes, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from midfill.inference.measuring.replay.report import ReplayReport

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0;font-size:13px;display:block;overflow-x:auto}"
    "th,td{border-bottom:1px solid #ddd;padding:.25rem .6rem;text-align:left}"
    "td{font-variant-numeric:tabular-nums}img{max-width:100%}h2{margin-top:2.5rem}"
)
# A page that was told not to can fetch nothing, whatever a model's name holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def check_html(file: Path) -> None:
    """Make sure, before anything is measured, that a report can be written.

    Raises:
        UsageError: there is no such folder, or the name is that of a folder.
        MidfillError: matplotlib is not installed.
    """
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(f"--html: {file} cannot be written: there is no such folder, or it is one")
    need_matplotlib()


def write_html(report: ReplayReport, file: Path) -> None:
    """Write a report whole, or not at all.

    Raises:
        MidfillError: it cannot be written.
    """
    text = page(report)
    try:
        descriptor, name = tempfile.mkstemp(".html", ".bench-", file.absolute().parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as unfinished:
                unfinished.write(text)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise MidfillError(f"{file} cannot be written: {error.strerror or error}") from error


def page(report: ReplayReport) -> str:
    """The whole page."""
    title = f"midfill bench: {report.model}"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            *(f"<p>{escape(note)}</p>" for note in notes(report)),
            *map(_table, tables(report)),
            *_figures(report),
            "</body></html>\n",
        )
    )


def _figures(report: ReplayReport) -> Iterator[str]:
    for title, svg in pictures(report):
        data = b64encode(svg.encode()).decode()
        yield f"<h2>{escape(title)}</h2>"
        yield f'<img alt="{escape(title)}" src="data:image/svg+xml;base64,{data}">'


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(str(column.header))}</th>" for column in table.columns)
    rows = zip(*(column.cells for column in table.columns), strict=True)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<h2>{escape(str(table.title))}</h2>\n<table><tr>{head}</tr>\n{body}</table>"
