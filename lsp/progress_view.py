"""Showing long work on standard error: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import RenderableType

    from midfill.inference.progress import Progress, ProgressListener

SILENCE = 5.0
"""Seconds between two lines about the same piece of work."""


@contextmanager
def progress_view(silence: float = SILENCE) -> Iterator[ProgressListener]:
    """A listener that shows what it is told for as long as the context lasts.

    Args:
        silence: seconds between two lines about the same piece of work, off a terminal.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield plain_lines(lambda line: print(line, file=sys.stderr, flush=True), silence=silence)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))
    with _Bars(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        task = bars.add_task("", total=None)
        said = ""

        def show(progress: Progress) -> None:
            nonlocal said
            if progress.message != said:
                said = progress.message
                bars.reset(task, description=said, total=1.0 if _measured(progress) else None)
            bars.figures = progress.figures
            bars.update(task, completed=progress.fraction or 0.0)

        yield show


class _Bars(Bars):
    """A bar, and below it the figures of the work."""

    figures = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.figures:
            yield Text(self.figures, style="dim")


def plain_lines(
    say: Callable[[str], None],
    clock: Callable[[], float] = monotonic,
    silence: float = SILENCE,
) -> ProgressListener:
    """A listener that says each new message, and now and then how much of it is done."""
    message, spoken_at = "", 0.0

    def listen(progress: Progress) -> None:
        nonlocal message, spoken_at
        if progress.message != message:
            message, spoken_at = progress.message, clock()
            say(message)
        elif progress.fraction is not None and clock() - spoken_at >= silence:
            spoken_at = clock()
            figures = f", {progress.figures}" if progress.figures else ""
            say(f"{message}: {progress.fraction:.0%}{figures}")

    return listen


def _measured(progress: Progress) -> bool:
    return progress.fraction is not None
