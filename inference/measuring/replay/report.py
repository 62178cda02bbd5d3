"""What a replay found; `as_json` is the form that other programs read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from midfill.inference.measuring.machine import Machine
    from midfill.inference.measuring.replay.comparing import Comparison, MomentFigures
    from midfill.inference.measuring.replay.growth import GrowthPoint
    from midfill.inference.measuring.replay.growth_verdicts import GrowthVerdict
    from midfill.inference.measuring.replay.replaying import Typing
    from midfill.inference.measuring.replay.statistics import Speedup


@dataclass(frozen=True, slots=True)
class Sample:
    """One suggestion.

    Attributes:
        writer: whose.
        line: number of the line among those that were typed, and ``file_lines`` of its file.
        typed: characters of the line.
        kind: cold or warm.
        held: the writer's suggestion before still stood.
        ms, tokens, steps: of the suggestion.
        step_tokens: how many tokens each step made certain; empty where it is not told.
    """

    writer: str
    line: int
    file_lines: int
    typed: int
    kind: str
    held: bool
    ms: float
    tokens: int | None
    steps: int | None
    step_tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WriterFigures:
    """
    Attributes:
        name, about: of the writer.
        load_s: seconds to load it; None if nothing was.
        kinds: figures of cold and warm requests, and of those where the last suggestion held.
        failure: why it was left out from some point on; empty if it was not.
    """

    name: str
    about: str
    load_s: float | None
    kinds: Mapping[str, MomentFigures]
    failure: str = ""


@dataclass(frozen=True, slots=True)
class VsLlamaCpp:
    """Ours next to the fastest llama.cpp on the same weights, where both wrote the same text.

    Attributes:
        other: the writer of those that ran against which ours gains least.
        quantisation: what it runs the weights in.
        speedup: theirs divided by ours; ``low`` and ``high`` are its 95 % interval.
        ours_ms, theirs_ms: means of a suggestion.
        n: requests with the same text.
        all: the same over all requests, whatever was written.
    """

    other: str
    quantisation: str
    speedup: float
    low: float | None
    high: float | None
    ours_ms: float
    theirs_ms: float
    n: int
    all: Speedup


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """
    Attributes:
        model: what was measured.
        machine: where.
        others_busy: cores that other programs kept busy meanwhile, on average.
        lines: names of the lines that were typed.
        typing: how.
        seed: of their choice.
        interrupted: whether it was broken off.
        writers: ours first.
        comparisons: of the others with ours.
        vs_llamacpp: None unless llama.cpp ran on the same weights and wrote the same text.
        growth: empty unless it was asked for; ``growth_verdicts`` says how much of it there is.
        server_failure: why the language server's own share is missing; empty if it is not.
        samples: every suggestion, without its text.
    """

    model: str
    machine: Machine
    others_busy: float
    lines: tuple[str, ...]
    typing: Typing
    seed: int
    interrupted: bool
    writers: tuple[WriterFigures, ...]
    comparisons: tuple[Comparison, ...]
    vs_llamacpp: VsLlamaCpp | None
    growth: tuple[GrowthPoint, ...]
    growth_verdicts: tuple[GrowthVerdict, ...]
    server_failure: str
    samples: tuple[Sample, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values; what was not measured is null."""
        return asdict(self)
