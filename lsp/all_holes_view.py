"""What ``midfill fill --all-holes`` prints: a diff, or JSON."""

from __future__ import annotations

import json
import sys
from difflib import unified_diff
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from midfill.lsp.filling_holes import replaced

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.lsp.filling_holes import HolesToFill

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def print_diff(path: Path, text: str, filling: HolesToFill) -> None:
    """What the fills change, as `patch` takes it; a line on those that stay goes to stderr."""
    out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False)
    lines = diff(path, text, replaced(text, filling.replacements))
    if out.is_terminal:
        for line in lines:
            out.print(Text(line.rstrip("\n"), _STYLES.get(line[:1], "")))
    else:
        sys.stdout.writelines(lines)
    for hole, why in filling.unfilled.items():
        err.print(f"line {text.count(chr(10), 0, hole.start) + 1} stays as it is. {why.sentence}")


def diff(path: Path, old: str, new: str) -> list[str]:
    """A unified diff, line breaks and a missing last one included."""
    lines = unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    ]


def print_replacements(filling: HolesToFill) -> None:
    """One JSON object: ``holes``, each with ``start``, ``end`` (characters) and ``text``."""
    holes = [
        {"start": hole.start, "end": hole.end, "text": hole.text} for hole in filling.replacements
    ]
    left = [{"start": hole.start, "end": hole.end} for hole in filling.unfilled]
    sys.stdout.write(json.dumps({"holes": holes, "unfilled": left}) + "\n")
