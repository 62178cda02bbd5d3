"""One row of a run: what every arm made of one problem, and how good that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from midfill.inference.evaluation.edit_similarity import edit_similarity
from midfill.inference.evaluation.exact_match import exact_match
from midfill.inference.evaluation.problems import HoleKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from midfill.inference.evaluation.arms.arm import Arm
    from midfill.inference.evaluation.problems import Filled, Problem
    from midfill.inference.evaluation.sandbox.runner import Sandbox, Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """What every arm made of one problem.

    Attributes:
        name, task, kind, language: the problem's.
        arms: for each arm its fill and its figures; what calibration is fitted on is among them.
    """

    name: str
    task: str
    kind: str
    language: str
    arms: Mapping[str, Mapping[str, Any]]


def make_row(problem: Problem, arms: Sequence[Arm], sandbox: Sandbox | None) -> Row:
    """Let all arms fill one problem, and judge what they wrote; run it where there is a sandbox.

    Programs that are the same run once.
    """
    verdicts: dict[str, Verdict] = {}
    judged = {}
    for arm in arms:
        filled = arm.fill(problem)
        verdict = None
        if sandbox is not None:
            program = problem.program(filled.text)
            if program not in verdicts:
                verdicts[program] = sandbox.run(program)
            verdict = verdicts[program]
        judged[arm.name] = judge(problem, filled, verdict)
    return Row(problem.name, problem.task, problem.kind.value, problem.language, judged)


def judge(problem: Problem, filled: Filled, verdict: Verdict | None) -> dict[str, Any]:
    """The figures of one fill."""
    completion = problem.completion(filled.text)
    one_line = problem.kind in (HoleKind.LINE, HoleKind.REST_OF_LINE)
    known = filled.log_probabilities
    figures: dict[str, Any] = {
        "text": filled.text,
        "exact": exact_match(completion, problem.gold, one_line=one_line),
        "similarity": edit_similarity(completion.strip(), problem.gold.strip()),
        "tokens": filled.tokens,
        "steps": filled.steps,
        "ms": filled.ms,
        "stop": str(filled.stop),
        "mean_log_probability": sum(known) / len(known) if known else None,
        "min_log_probability": min(known) if known else None,
        "log_probabilities": list(known),
        "accepted": list(filled.accepted),
    }
    if verdict is not None:
        figures |= {
            "passed": verdict.passed,
            "outcome": verdict.outcome.value,
            "detail": verdict.detail,
        }
    return figures
