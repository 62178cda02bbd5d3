"""The same big model in memory, filling with other values of one option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.evaluation.arms.midfill import Midfill
from midfill.inference.models.options import Options, choices_of

if TYPE_CHECKING:
    from midfill.inference.engine import Engine
    from midfill.inference.evaluation.arms.arm import Arm
    from midfill.inference.evaluation.problems import Filled, Problem


class Variant:
    """An arm with one option changed."""

    def __init__(self, engine: Engine, name: str, options: Options) -> None:
        self.name = name
        self._engine = engine
        self._options = options
        self._plain = Midfill(engine, None)

    def fill(self, problem: Problem) -> Filled:
        with self._engine.filling_with(self._options):
            return self._plain.fill(problem)


def variants(engine: Engine, option: str | None) -> tuple[Arm, ...]:
    """An arm for each value of an option that the model can do; none without an option.

    Raises:
        UsageError: no option of that name has a few values to choose from, or the model can do
            none of them.
    """
    if option is None:
        return ()
    field = option.replace("-", "_")
    if not (values := choices_of(field)):
        raise UsageError(f"--compare {option}: an option with a few values is wanted, like suffix")
    arms, refusals = [], []
    for value in values:
        options = engine.reference.options.model_copy(update={field: value})
        try:
            with engine.filling_with(options):
                arms.append(Variant(engine, f"{option}={value}", options))
        except UsageError as refusal:
            refusals.append(refusal)
    if not arms:
        raise refusals[0]
    return tuple(arms)
