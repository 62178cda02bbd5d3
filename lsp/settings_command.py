"""``midfill settings``: what can be set, for people and for editors."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer


class Where(StrEnum):
    """Who says what the settings are."""

    EDITOR = "editor"
    FOLDER = "folder"


def settings(
    schema: Annotated[
        Where | None,
        typer.Option(
            "--schema",
            help="Print a JSON Schema: of what an editor sends, or of a folder's .midfill.toml.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the settings: what each is for, what it may be, and its default."""
    from midfill.lsp.settings_schema import editor_schema, folder_schema

    if schema is None:
        _print_table()
        return
    wanted = editor_schema() if schema is Where.EDITOR else folder_schema()
    print(json.dumps(wanted, indent=2, ensure_ascii=False))


def _print_table() -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from midfill.lsp.settings_rules import RULES

    table = Table("setting", "default", "what it is for, and what it must be")
    for name, rule in RULES.items():
        about = f"{rule.about}\n[dim]{escape(rule.wanted)}[/dim]"
        folder = "" if rule.for_a_language else " *"
        table.add_row(name + folder, escape(json.dumps(rule.schema["default"])), about)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    console.print(table)
    console.print("* holds everywhere: neither for one language nor in a folder's .midfill.toml")
