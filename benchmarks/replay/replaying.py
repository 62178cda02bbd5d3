"""A whole replay: traces typed into the real server with the real engine for some minutes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from midfill.inference.measuring.language_server.document import Document
from midfill.inference.measuring.language_server.editor import Editor
from midfill.inference.measuring.language_server.environment import HISTORY
from midfill.lsp.acceptance.database import read_counts, read_outcomes
from midfill.lsp.running_engine import running_engine

from .figures import figures
from .tally import Tally
from .typist import Typist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .figures import Figures
    from .trace import Trace

MODEL = "embedded"


async def replay_all(
    traces: Iterable[Trace],
    seconds: float,
    root: str,
    settings: Mapping[str, object],
    scratch: Path,
    environment: Mapping[str, str],
    tell: Callable[[str], None],
) -> Figures:
    """Replay traces until the time is up or there are no more.

    Args:
        root: the folder that the traces' paths are in; the server sees it as the workspace.
        settings: initialization options of the server.
        scratch: a folder for the processes' own files.
        environment: `own_environment` of it.
        tell: hears of the progress.

    Raises:
        ServerGone: the server or the engine failed.
    """
    tally = Tally()
    workspace = Path(root).as_uri() if root else None
    editor = await Editor.start(scratch, environment, settings, workspace)
    try:
        tell("the engine is starting")
        await editor.ready()
        began = time.monotonic()
        typist = Typist(editor, tally, began + seconds)
        for number, trace in enumerate(traces):
            uri = Path(root or "/", trace.path).as_uri()
            document = Document(uri, trace.language, trace.before)
            editor.open(document)
            await typist.replay(trace, document)
            editor.close(document)
            passed = time.monotonic() - began
            tell(f"{number + 1} files, {tally.keys} keys, {passed / 60:.1f} min")
            if typist.time_is_up:
                break
        tally.seconds = time.monotonic() - began
    finally:
        await editor.leave()
        _end_engine(environment)
    history = scratch.joinpath(*HISTORY)
    return figures(tally, read_counts(history, 0.0), read_outcomes(history, 0.0))


def _end_engine(environment: Mapping[str, str]) -> None:
    """End the engine that the server has started, which would stay for a while."""
    os.environ["MIDFILL_RUNTIME_DIR"] = environment["MIDFILL_RUNTIME_DIR"]
    if health := running_engine(MODEL):
        process = psutil.Process(health.pid)
        process.terminate()
        process.wait(30)
