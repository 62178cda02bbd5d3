"""Draw the README's picture: the steps of one real fill.

python examples/picture.py docs/fill.svg
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from midfill.inference.engine import Engine
from midfill.inference.text.source_file import read_source
from midfill.inference.wire import Draft, Extent
from midfill.lsp.fill_request import infill_request
from midfill.lsp.fill_view import FillView, summary

HERE = Path(__file__).parent
FILE, CODE = "inventory.py", "sum(item.value() for item in self.items.values())"


def main(target: Path) -> None:
    text = read_source(HERE / FILE)
    start = text.index(CODE)
    end = start + len(CODE)
    view = FillView(Path("examples") / FILE, text, start, end)
    engine = Engine()
    request = infill_request(text, start, end, Extent.LINE)
    engine.load()  # so that the figures are those of a running engine
    *drafts, final = engine.infill(request)

    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    place = f"{text.count(chr(10), 0, start) + 1}:{start - text.rfind(chr(10), 0, start)}"
    console.print(Text(f"$ midfill fill examples/{FILE}:{place} --watch\n", "bold"))
    for draft in drafts:
        assert isinstance(draft, Draft)
        console.print(view.step_line(draft))
    console.print()
    assert not isinstance(final, Draft)
    console.print(view.with_final(final), end="")
    console.print(Text(summary(final), "bright_black"))
    svg = console.export_svg(title="midfill fill", theme=MONOKAI)
    # The picture names no font server: whoever looks at it tells nobody.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    target.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
