"""From two versions of a file to an editing trace."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from .changes import changes_between
from .human import moment_of
from .keys import indent_unit, keys_for
from .trace import Run, Stroke, Trace

if TYPE_CHECKING:
    from .changes import Change
    from .history import Revision


def trace_of(revision: Revision, seed: int) -> Trace:
    """How somebody might have made the later version; the same seed gives the same trace."""
    random = Random(f"{seed} {revision.commit} {revision.path}")
    unit = indent_unit(revision.before + revision.after)
    runs = [
        _run(change, revision.after, unit, random)
        for change in changes_between(revision.before, revision.after)
    ]
    return Trace(revision.path, revision.language, revision.commit, revision.before, tuple(runs))


def _run(change: Change, after: str, unit: str, random: Random) -> Run:
    line = after[after.rfind("\n", 0, change.start) + 1 : change.start]
    strokes = []
    before = None
    for key in keys_for(change, line, unit):
        seconds = moment_of(key, before).value.draw(random)
        strokes.append(Stroke(round(seconds, 3), key.back, key.text))
        before = key
    return Run(change.start, change.removed, tuple(strokes))
