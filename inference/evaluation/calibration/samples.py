"""What a calibration is fitted on: fills of known holes, as an evaluation's record has them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from midfill.inference.confidence import FEATURES, Evidence
from midfill.inference.evaluation.errors import RecordDamaged
from midfill.inference.evaluation.problems import HoleKind
from midfill.inference.evaluation.record import read_record
from midfill.inference.evaluation.report import OURS
from midfill.inference.wire import Stop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from midfill.inference.evaluation.rows import Row

ONE_LINE = (HoleKind.LINE.value, HoleKind.REST_OF_LINE.value)
"""The kinds of holes that are filled unasked."""

SLACK = 1e-3
"""Nats that a log-probability may lie above 0, by rounding."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Fills that show something, and whether each is exactly right.

    Attributes:
        features: (fills, len(FEATURES)) float64.
        uncalibrated: (fills,) float64, geometric means of the tokens' probabilities.
        right: (fills,) bool.
        one_line: (fills,) bool, whether the hole is of a kind that is filled unasked.
        tasks: (fills,) str, the file each hole was cut from.
        empty: fills left out because they show nothing; their chance is 0 whatever is fitted.
    """

    features: np.ndarray
    uncalibrated: np.ndarray
    right: np.ndarray
    one_line: np.ndarray
    tasks: np.ndarray
    empty: int = 0

    def __len__(self) -> int:
        return len(self.right)

    def where(self, chosen: np.ndarray) -> Samples:
        """Those that ``chosen``, (fills,) bool, says."""
        return Samples(
            self.features[chosen],
            self.uncalibrated[chosen],
            self.right[chosen],
            self.one_line[chosen],
            self.tasks[chosen],
        )


def read_samples(paths: Sequence[Path]) -> tuple[Samples, list[Mapping[str, Any]]]:
    """The fills in records that `midfill eval` wrote, and what each run was.

    Raises:
        RecordDamaged: a file is no record, cannot be read, or lacks what is fitted on.
    """
    judged: list[tuple[Row, Evidence]] = []
    runs: list[Mapping[str, Any]] = []
    for path in paths:
        run, rows = read_record(path)
        runs.append(run)
        try:
            judged += [(row, evidence_of(row)) for row in rows]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordDamaged(
                f"{path} lacks what is fitted on ({type(error).__name__}: {error}): "
                "write it again with `midfill eval self --out FILE`"
            ) from None
    return _samples(judged), runs


def evidence_of(row: Row) -> Evidence:
    """What our fill of a row told of itself; the same figures as `filling` has them.

    Raises:
        KeyError, TypeError, ValueError: the row lacks some.
    """
    figures = row.arms[OURS]
    known = [float(value) for value in figures["log_probabilities"]]
    possible = known and all(isfinite(value) and value <= SLACK for value in known)
    if not possible or not isinstance(figures["exact"], bool):
        raise ValueError(f"impossible figures in row {row.name}")
    extent = HoleKind(row.kind).extent
    return Evidence.of(known, figures["text"], Stop(figures["stop"]), extent)


def _samples(judged: Sequence[tuple[Row, Evidence]]) -> Samples:
    shown = [(row, one) for row, one in judged if not one.empty]
    features = [[one.features()[name] for name in FEATURES] for _, one in shown]
    return Samples(
        features=np.array(features, dtype=float).reshape(-1, len(FEATURES)),
        uncalibrated=np.array([one.geometric_mean for _, one in shown]),
        right=np.array([row.arms[OURS]["exact"] for row, _ in shown], dtype=bool),
        one_line=np.array([row.kind in ONE_LINE for row, _ in shown], dtype=bool),
        tasks=np.array([row.task for row, _ in shown], dtype=str),
        empty=len(judged) - len(shown),
    )
