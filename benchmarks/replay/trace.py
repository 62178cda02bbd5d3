"""An editing trace: everything that somebody did to one file, key by key, with its timing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Stroke:
    """One key, so many seconds after the one before.

    Attributes:
        seconds: at least; a suggestion that is read meanwhile takes its own time.
        back: characters before the cursor that it deletes.
        text: what it inserts then.
    """

    seconds: float
    back: int
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """What is done at one place before the cursor is moved elsewhere.

    Attributes:
        start: of the place, in characters of the text of that moment.
        removed: what stands there; the cursor is put behind it.
    """

    start: int
    removed: str
    strokes: tuple[Stroke, ...]

    @property
    def written(self) -> str:
        """What stands there in the end."""
        return self.states()[-1]

    def states(self) -> list[str]:
        """What stands at the place before each stroke, and behind the last."""
        states = [self.removed]
        for stroke in self.strokes:
            before = states[-1]
            states.append(before[: len(before) - stroke.back] + stroke.text)
        return states


@dataclass(frozen=True, slots=True)
class Trace:
    """How one version of a file was made out of another.

    Attributes:
        path: in the repository.
        language: an editor's name for it.
        commit: that the later version is of.
        before: the earlier version.
        runs: in order of position.
    """

    path: str
    language: str
    commit: str
    before: str
    runs: tuple[Run, ...]

    @property
    def after(self) -> str:
        """The later version, as the strokes make it."""
        text = self.before
        for run in self.runs:
            text = text[: run.start] + run.written + text[run.start + len(run.removed) :]
        return text

    @property
    def strokes(self) -> int:
        return sum(len(run.strokes) for run in self.runs)

    @property
    def seconds(self) -> float:
        """How long it takes without reading any suggestion."""
        return sum(stroke.seconds for run in self.runs for stroke in run.strokes)


def to_json(traces: Sequence[Trace]) -> str:
    return json.dumps({"format": FORMAT, "traces": [asdict(trace) for trace in traces]})


def from_json(text: str) -> list[Trace]:
    """Traces as `to_json` wrote them.

    Raises:
        ValueError: it is something else.
    """
    try:
        found = json.loads(text)
        version = found["format"]
        traces = [_trace(one) for one in found["traces"]] if version == FORMAT else []
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("this is no file of editing traces") from error
    if version != FORMAT:
        raise ValueError(f"these traces have format {version!r}, not {FORMAT}")
    return traces


def read_traces(file: Path) -> list[Trace]:
    """Raises: OSError, ValueError."""
    return from_json(file.read_text("utf-8"))


def _trace(found: dict[str, Any]) -> Trace:
    runs = tuple(
        Run(run["start"], run["removed"], tuple(Stroke(**stroke) for stroke in run["strokes"]))
        for run in found["runs"]
    )
    return Trace(**(found | {"runs": runs}))
