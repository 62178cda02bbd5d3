"""Take code out of real files and watch the embedded model fill it in again.

Run by ``make demo``. The files themselves are left alone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from midfill.inference.engine import Engine
from midfill.inference.errors import MidfillError
from midfill.inference.text.source_file import read_source
from midfill.inference.wire import Extent
from midfill.lsp.fill_request import infill_request
from midfill.lsp.fill_view import FillView, summary
from midfill.lsp.progress_view import progress_view

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cut:
    """A piece of code to take out of a file."""

    file: str
    code: str
    behind: str = ""
    """What stands in front of the code, where the code alone occurs more than once."""

    @property
    def extent(self) -> Extent:
        return Extent.LINES if "\n" in self.code else Extent.LINE


CUTS = (
    Cut("inventory.py", "self.price * self.quantity"),
    Cut("inventory.py", "sum(item.value() for item in self.items.values())"),
    Cut("inventory.py", "quantity -= quantity", behind="item."),
    Cut(
        "intervals.py",
        "        else:\n            merged.append((start, end))\n",
    ),
    Cut("intervals.py", "start <= number < end:", behind="if "),
    Cut("cart.js", "this.lines.push({ article, quantity });"),
)


def main() -> None:
    console = Console(highlight=False, soft_wrap=True)
    engine = Engine()
    with progress_view() as listener:
        engine.load(listener)
    same = 0
    for number, cut in enumerate(CUTS, 1):
        path = HERE / cut.file
        text = read_source(path)
        start = text.index(cut.behind + cut.code) + len(cut.behind)
        end = start + len(cut.code)
        view = FillView(Path("examples") / cut.file, text, start, end)
        console.rule(f"hole {number} of {len(CUTS)}", style="bright_black")
        console.print("before", style="bold")
        console.print(view.with_hole(), end="")
        final = view.show_progress(
            engine.infill(infill_request(text, start, end, cut.extent)), watch=True
        )
        console.print("after", style="bold")
        console.print(view.with_final(final), end="")
        console.print(Text(summary(final), "bright_black"))
        if final.text == cut.code:
            same += 1
        else:
            console.print(Text("the file has: ", "bright_black").append(cut.code.strip("\n")))
        console.print()
    console.print(f"{same} of {len(CUTS)} holes filled with exactly what the file has.")


if __name__ == "__main__":
    try:
        main()
    except MidfillError as error:
        print(f"midfill: {error}", file=sys.stderr)
        raise SystemExit(error.exit_status) from None
