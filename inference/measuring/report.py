"""What a run of the benchmark found; `as_json` is the form that others read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from midfill.inference.measuring.canvases import CanvasFigures
    from midfill.inference.measuring.figures import Spread
    from midfill.inference.measuring.machine import Machine


@dataclass(frozen=True, slots=True)
class KindFigures:
    """One contender's fills of one kind of hole.

    Attributes:
        cold_ms: time to suggestion in a file that it has never seen.
        warm_ms: the same one typed character later.
        step_ms: of single steps; a token of an autoregressive model.
        steps, tokens: of a fill.
        tokens_per_step, tokens_per_second, tokens_per_second_warm: the same, divided.
    """

    cold_ms: Spread | None
    warm_ms: Spread | None
    step_ms: Spread | None
    steps: Spread | None
    tokens: Spread | None
    tokens_per_step: Spread | None
    tokens_per_second: Spread | None
    tokens_per_second_warm: Spread | None


@dataclass(frozen=True, slots=True)
class ContenderFigures:
    """One of those that were compared.

    Attributes:
        name: for people.
        about: what there is to know about it.
        load_s: seconds to load it, without fetching it; None if it was in memory already.
        loaded_bytes: by which memory grew meanwhile.
        peak_bytes: by which it grew at most while holes were filled, beyond what was held then.
        kinds: figures for each kind of hole.
        failure: why there are none; empty if there are.
    """

    name: str
    about: str
    load_s: float | None
    loaded_bytes: int | None
    peak_bytes: int
    kinds: Mapping[str, KindFigures]
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much longer another one took for the same holes, each pair right after one another.

    Attributes:
        other: the contender's name.
        kind: of hole.
        cold, warm: its time divided by ours; above 1, ours was quicker.
    """

    other: str
    kind: str
    cold: Spread | None
    warm: Spread | None


@dataclass(frozen=True, slots=True)
class Report:
    """
    Attributes:
        model: what was measured.
        machine: where.
        memory: what memory figures mean there.
        holes: names of the places of each kind.
        repeat: fills of each hole.
        compiled: whether layers were compiled.
        contenders: ours first.
        ratios: of the others to ours.
        canvases: what a step costs for each canvas length.
    """

    model: str
    machine: Machine
    memory: str
    holes: Mapping[str, tuple[str, ...]]
    repeat: int
    compiled: bool
    contenders: tuple[ContenderFigures, ...]
    ratios: tuple[Ratio, ...]
    canvases: tuple[CanvasFigures, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values; what was not measured is null."""
        return asdict(self)
