"""Showing long work on standard error: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.progress import Progress, ProgressListener

SILENCE = 5.0
"""Seconds between two lines about the same piece of work."""


@contextmanager
def progress_view() -> Iterator[ProgressListener]:
    """A listener that shows what it is told for as long as the context lasts."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield plain_lines(lambda line: print(line, file=sys.stderr, flush=True))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))
    with Bars(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        task = bars.add_task("", total=None)
        said = ""

        def show(progress: Progress) -> None:
            nonlocal said
            if progress.message != said:
                said = progress.message
                bars.reset(task, description=said, total=1.0 if _measured(progress) else None)
            bars.update(task, completed=progress.fraction or 0.0)

        yield show


def plain_lines(
    say: Callable[[str], None], clock: Callable[[], float] = monotonic
) -> ProgressListener:
    """A listener that says each new message, and now and then how much of it is done."""
    message, spoken_at = "", 0.0

    def listen(progress: Progress) -> None:
        nonlocal message, spoken_at
        if progress.message != message:
            message, spoken_at = progress.message, clock()
            say(message)
        elif progress.fraction is not None and clock() - spoken_at >= SILENCE:
            spoken_at = clock()
            say(f"{message}: {progress.fraction:.0%}")

    return listen


def _measured(progress: Progress) -> bool:
    return progress.fraction is not None
