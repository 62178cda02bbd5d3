"""Record Neovim's screen while it fills placeholders, as an animated picture.

python tests/editors/record_neovim.py docs/neovim-fill.svg
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from installed import installed_by
from neovim import Neovim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CODE = '''\
class Rectangle:
    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        """The product of the two sides."""
        ...

    def is_square(self) -> bool:
        return ___

    def scaled(self, factor: float) -> "Rectangle":
        """A rectangle with both sides that many times as long."""
        ...
'''

COLUMNS, ROWS = 72, 18
CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.4, 18, 14, 12
SHORTEST, LONGEST, FIRST, LAST = 0.3, 0.7, 1.5, 3.0
"""Seconds that a step is shown, whatever it took, and the first and the last screen."""

DONE = """
local before = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')
local channel, timer = ..., vim.uv.new_timer()
timer:start(0, 50, vim.schedule_wrap(function()
  local now = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')
  if now ~= before and not require('midfill.fill').running() then
    timer:stop()
    vim.rpcnotify(channel, 'done')
  end
end))
"""

Cell = tuple[str, int]
Row = tuple[Cell, ...]


@dataclass
class Screen:
    """What Neovim has drawn, from its own notifications (:help ui-linegrid)."""

    rows: list[list[Cell]] = field(default_factory=list)
    highlights: dict[int, dict[str, Any]] = field(default_factory=dict)
    foreground: int = 0xFFFFFF
    background: int = 0
    frames: list[tuple[float, tuple[Row, ...]]] = field(default_factory=list)

    def take(self, name: str, arguments: list[list[Any]]) -> None:
        """One kind of event, with the arguments of each of them."""
        for one in arguments:
            if handler := getattr(self, f"on_{name}", None):
                handler(*one)

    def on_grid_resize(self, grid: int, width: int, height: int) -> None:
        self.rows = [[(" ", 0)] * width for _ in range(height)]

    def on_grid_clear(self, grid: int) -> None:
        self.rows = [[(" ", 0)] * len(row) for row in self.rows]

    def on_default_colors_set(self, foreground: int, background: int, *_: int) -> None:
        self.foreground, self.background = foreground, background

    def on_hl_attr_define(self, number: int, rgb: dict[str, Any], *_: object) -> None:
        self.highlights[number] = rgb

    def on_grid_line(self, grid: int, row: int, col: int, cells: list[Any], *_: object) -> None:
        highlight = 0
        for text, *more in cells:
            highlight = more[0] if more else highlight
            for _repeat in range(more[1] if len(more) > 1 else 1):
                self.rows[row][col] = (text, highlight)
                col += 1

    def on_grid_scroll(
        self, grid: int, top: int, bottom: int, left: int, right: int, rows: int, columns: int
    ) -> None:
        moved = [list(row) for row in self.rows]
        for row in range(top, bottom):
            if top <= row + rows < bottom:
                self.rows[row][left:right] = moved[row + rows][left:right]

    def on_flush(self) -> None:
        rows = tuple(tuple(row) for row in self.rows)
        if not self.frames or self.frames[-1][1] != rows:
            self.frames.append((time.monotonic(), rows))


def record(neovim: Neovim, path: Path) -> Screen:
    """Every screen from before the fill until after it."""
    screen = Screen()
    neovim.show(path, CODE)
    neovim.command("set noruler noshowcmd laststatus=2 shortmess+=F | syntax on")
    neovim.command("set statusline=%t%=%{v:lua.require'midfill'.statusline()}")
    nvim = neovim.nvim
    nvim.ui_attach(COLUMNS, ROWS, rgb=True, ext_linegrid=True)
    neovim.lua(DONE, nvim.channel_id)
    nvim.command("Midfill holes", async_=True)

    def notified(name: str, arguments: list[list[Any]]) -> None:
        if name == "done":
            nvim.stop_loop()
        elif name == "redraw":
            for event, *several in arguments:
                screen.take(event, several)

    nvim.run_loop(None, notified)
    return screen


def picture(screen: Screen) -> str:
    """The screens as one SVG that shows them in turn, again and again."""
    times = [at for at, _ in screen.frames]
    lengths = [min(max(after - at, SHORTEST), LONGEST) for at, after in pairwise(times)]
    lengths[0] = FIRST
    lengths.append(LAST)
    total = sum(lengths)
    starts = [100 * sum(lengths[:number]) / total for number in range(len(lengths) + 1)]
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, ROWS * CELL_HEIGHT + 2 * MARGIN
    styles, texts = [], []
    for number in range(ROWS):
        for first, last, row in runs([rows[number] for _, rows in screen.frames]):
            name = f"r{first}-{last}"
            if (first, last) == (0, len(lengths)):
                name = ""
            elif not any(f"@keyframes {name} " in style for style in styles):
                styles.append(shown_between(name, starts[first], starts[last]))
                styles.append(f".{name}{{animation:{name} {total:.2f}s step-end infinite}}")
            texts += drawn(screen, row, number, name)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">',
            "<title>Placeholders are filled in Neovim; "
            f"each step is shown for {SHORTEST:g} to {LONGEST:g} s</title>",
            f"<style>text{{font:{FONT_SIZE}px monospace;white-space:pre}}",
            *styles,
            "</style>",
            f'<rect width="100%" height="100%" rx="6" fill="{colour(screen.background)}"/>',
            *texts,
            "</svg>\n",
        ]
    )


def runs(rows: Sequence[Row]) -> Iterator[tuple[int, int, Row]]:
    """Stretches of equal rows: the first frame, the one behind the last, and the row."""
    first = 0
    for number in range(1, len(rows) + 1):
        if number == len(rows) or rows[number] != rows[first]:
            yield first, number, rows[first]
            first = number


def shown_between(name: str, start: float, end: float) -> str:
    """Keyframes by which something is seen from one percentage to another."""
    steps = [(0.0, "hidden")] if start > 0 else []
    steps += [(start, "visible")]
    steps += [(end, "hidden")] if end < 100 else []
    frames = "".join(f"{at:.2f}%{{visibility:{how}}}" for at, how in steps)
    return f"@keyframes {name} {{{frames}}}"


def drawn(screen: Screen, row: Row, number: int, name: str) -> list[str]:
    """A row as text, one element for each stretch of one highlight."""
    elements = []
    top = MARGIN + number * CELL_HEIGHT
    place = f' class="{name}"' if name else ""
    col = 0
    while col < len(row):
        highlight = row[col][1]
        end = col
        while end < len(row) and row[end][1] == highlight:
            end += 1
        text = "".join(character for character, _ in row[col:end])
        look = screen.highlights.get(highlight, {})
        left, width = MARGIN + col * CELL_WIDTH, (end - col) * CELL_WIDTH
        front = look.get("foreground", screen.foreground)
        back = look.get("background", screen.background)
        if look.get("reverse"):
            front, back = back, front
        if back != screen.background:
            elements.append(
                f'<rect{place} x="{left:g}" y="{top}" width="{width:g}" height="{CELL_HEIGHT}"'
                f' fill="{colour(back)}"/>'
            )
        if text.strip():
            style = ' font-style="italic"' if look.get("italic") else ""
            style += ' font-weight="bold"' if look.get("bold") else ""
            indent = len(text) - len(text.lstrip())
            shown = text.strip()
            elements.append(
                f'<text{place} x="{left + indent * CELL_WIDTH:g}" y="{top + FONT_SIZE}"'
                f' textLength="{len(shown) * CELL_WIDTH:g}" fill="{colour(front)}"{style}>'
                f"{escape(shown)}</text>"
            )
        col = end
    return elements


def colour(number: int) -> str:
    return f"#{number:06x}"


def main(target: Path) -> None:
    program = installed_by("get-neovim-0.12", "neovim-0.12", "bin/nvim")
    with tempfile.TemporaryDirectory(prefix="midfill-") as folder:
        os.environ.setdefault("MIDFILL_RUNTIME_DIR", f"{folder}/run")
        os.environ["XDG_STATE_HOME"] = f"{folder}/state"
        neovim = Neovim(program, Path(folder, "home"))
        try:
            neovim.set_up()
            neovim.command(f"cd {folder}")
            screen = record(neovim, Path(folder, "rectangle.py"))
        finally:
            neovim.close()
    target.write_text(picture(screen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
