"""How `midfill model list` looks: a table on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from midfill.inference.models.machine_memory import Fit, Memory
    from midfill.inference.models.overview import ModelRow

_STYLES = {
    "ready": "green",
    "missing": "dim",
    "interrupted": "yellow",
    "unverified": "yellow",
    "damaged": "red",
}


def print_models(rows: Sequence[ModelRow], memories: Sequence[Memory]) -> None:
    """Show the models, and below them what they would have to fit in."""
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        _print_table(console, rows)
    else:
        for line in plain_lines(rows):
            print(line)
    print(f"to fit in: {memories_in_words(memories)}")


def plain_lines(rows: Sequence[ModelRow]) -> list[str]:
    """One line for each model."""
    name = max(len(row.name) for row in rows)
    licence = max(len(row.licence) for row in rows)
    where = max(len(fits_in_words(row)) for row in rows)
    return [
        f"{row.name:<{name}}  {row.state:<11}  {_size_of(row):>13}  {row.licence:<{licence}}  "
        f"{fits_in_words(row):<{where}}  {_description(row)}"
        for row in rows
    ]


def models_as_json(rows: Sequence[ModelRow], memories: Sequence[Memory]) -> str:
    """The same as one JSON object, with sizes in bytes."""
    models = [
        {
            "name": row.name,
            "state": row.state,
            "bytes": row.size,
            "exact": row.exact,
            "licence": row.licence,
            "commit": row.commit or None,
            "fits": {fit.memory.name: fit.weights for fit in row.fits},
            "description": row.description,
        }
        for row in rows
    ]
    places = [{"name": place.name, "bytes": place.size} for place in memories]
    return json.dumps({"memory": places, "models": models}, indent=2)


def fits_in_words(row: ModelRow) -> str:
    """Where a model fits, and as what."""
    if row.weights is None:
        return "unknown"
    return fits_of(row.fits)


def fits_of(fits: Sequence[Fit]) -> str:
    """The same of fits alone."""
    return ", ".join(f"{fit.memory.name}: {fit.weights}" for fit in fits) or "does not fit"


def memories_in_words(memories: Sequence[Memory]) -> str:
    return ", ".join(f"{place.name} ({size(place.size)})" for place in memories) or "unknown"


def size(count: int) -> str:
    """Bytes as people read them, in powers of 1000."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _print_table(console: Console, rows: Sequence[ModelRow]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "state", "size", "licence", "fits", "what it is"):
        table.add_column(heading, justify="right" if heading == "size" else "left")
    table.columns[0].overflow = "fold"
    for row in rows:
        table.add_row(
            Text(row.name),
            Text(row.state, _STYLES[row.state]),
            Text(_size_of(row)),
            Text(row.licence),
            Text(fits_in_words(row)),
            Text(_description(row)),
        )
    console.print(table)


def _size_of(row: ModelRow) -> str:
    return size(row.size) if row.exact else f"about {size(row.size)}"


def _description(row: ModelRow) -> str:
    return f"{row.description}, commit {row.commit[:7]}" if row.commit else row.description
