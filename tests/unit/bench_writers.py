"""Writers that suggest what a test says, in the time that it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midfill.inference.measuring.machine import this_machine
from midfill.inference.measuring.replay.growth import growth_points
from midfill.inference.measuring.replay.growth_verdicts import growth_verdicts
from midfill.inference.measuring.replay.replaying import Typing, replay
from midfill.inference.measuring.replay.report import ReplayReport
from midfill.inference.measuring.replay.reporting import (
    comparisons,
    samples,
    vs_llama_cpp,
    writer_figures,
)
from midfill.inference.measuring.replay.sources import SourceFile
from midfill.inference.measuring.replay.typed_line import choose_lines
from midfill.inference.measuring.replay.writer import Written
from midfill.inference.progress import nobody_listens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.measuring.replay.growth import GrowthSample
    from midfill.inference.wire import InfillRequest

CODE = SourceFile(
    "shop.py",
    "\n".join(f"def price_{n}(basket):\n    return total_of(basket, {n})\n" for n in range(40)),
    "python",
)


def rest_of_line(request: InfillRequest) -> str:
    """What stands in `CODE` behind the cursor."""
    line = request.prefix.rpartition("\n")[2]
    known = next((one for one in CODE.text.splitlines() if line and one.startswith(line)), line)
    return known[len(line) :]


@dataclass
class FakeWriter:
    """
    Attributes:
        calls: what happened, in order; shared by those that are to be told apart.
        fail_at: what it raises at which request, counted from 0.
    """

    name: str
    ms: float = 10.0
    text: Callable[[InfillRequest], str] = rest_of_line
    about: str = "made up"
    calls: list[tuple[str, str]] = field(default_factory=list)
    requests: list[InfillRequest] = field(default_factory=list)
    fail_at: dict[int, BaseException] = field(default_factory=dict)
    closed: bool = False

    def new_document(self) -> None:
        self.calls.append((self.name, "new"))

    def write(self, request: InfillRequest) -> Written:
        self.calls.append((self.name, "write"))
        self.requests.append(request)
        if error := self.fail_at.get(len(self.requests) - 1):
            raise error
        stages = {"reading": self.ms / 4, "writing": 3 * self.ms / 4}
        return Written(self.text(request), self.ms / 1e3, 6, 3, stages, 12, (3, 2, 1))

    def pause(self, seconds: float) -> None:
        """There is nothing that it could use the time for."""

    def close(self) -> None:
        self.closed = True


def report_of(
    writers: Sequence[FakeWriter],
    *,
    quantisations: dict[str, str] | None = None,
    growth: Sequence[GrowthSample] = (),
    others_busy: float = 0.0,
    lines: int = 3,
) -> ReplayReport:
    """What a replay of them comes to."""
    import torch

    chosen = choose_lines((CODE,), lines, 0)
    typing = Typing(every=5, most=2, settle=0.0)
    found = replay(writers, chosen, typing, nobody_listens)
    compared = comparisons(writers, found)
    return ReplayReport(
        model="embedded",
        machine=this_machine(torch.device("cpu")),
        others_busy=others_busy,
        lines=tuple(line.name for line in chosen),
        typing=typing,
        seed=0,
        interrupted=found.interrupted,
        writers=writer_figures(writers, found, {}),
        comparisons=compared,
        vs_llamacpp=vs_llama_cpp(compared, quantisations or {}),
        growth=growth_points(growth),
        growth_verdicts=growth_verdicts(growth),
        server_failure="",
        samples=samples(found),
    )
