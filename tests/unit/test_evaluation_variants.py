"""`midfill eval --compare`: the same weights, filling with each value of an option."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_absorbing import dream

from midfill.inference.engine import Engine
from midfill.inference.errors import UsageError
from midfill.inference.evaluation.evaluate import arms_of, describe_run
from midfill.inference.evaluation.problems import HoleKind, Problem
from midfill.inference.evaluation.report import report
from midfill.inference.evaluation.rows import make_row

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")

PROBLEM = Problem(
    "one", "task", "def f(x):\n    ", "return x", "\n\ny = 1\n", HoleKind.REST_OF_LINE
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder: Path = dream().write(tmp_path_factory.mktemp("dream"))
    return Engine(f"{folder},weights=float32,canvas=32,length=fixed,steps=4")


def test_every_value_is_an_arm_beside_what_ships(engine: Engine) -> None:
    usual = engine.filler
    arms = arms_of(engine, baselines=False, compare="cache")

    row = make_row(PROBLEM, arms, None)

    values = ("none", "prefix", "dual", "open")
    assert [arm.name for arm in arms] == ["midfill", *(f"cache={value}" for value in values)]
    assert set(row.arms) == {arm.name for arm in arms}
    assert row.arms["midfill"]["text"] == row.arms["cache=dual"]["text"]
    assert engine.filler is usual
    run = describe_run(
        "self", engine.model, [PROBLEM], seed=0, limit=1, baselines=False, compare="cache",
        mechanisms=None,
    )  # fmt: skip
    assert "cache=none" in report(run, [row])["arms"]


def test_values_that_the_model_cannot_do_are_left_out(engine: Engine) -> None:
    names = [arm.name for arm in arms_of(engine, baselines=False, compare="length")]

    assert "length=search" in names
    assert "length=expand-delete" not in names


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        ("steps", "an option with a few values is wanted"),
        ("suffix", "sees the suffix in its place"),
    ],
)
def test_what_cannot_be_compared_is_refused(engine: Engine, compare: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        arms_of(engine, baselines=False, compare=compare)


def test_big_models_have_no_baselines(engine: Engine) -> None:
    with pytest.raises(UsageError, match="those of the embedded model"):
        arms_of(engine, baselines=True)


def test_other_weights_are_another_run(engine: Engine, tmp_path: Path) -> None:
    def weights(model: str) -> object:
        run = describe_run(
            "self", model, [], seed=0, limit=1, baselines=False, compare=None, mechanisms=None
        )
        return run["weights"]

    other = dream().with_config(rope_theta=1e4).write(tmp_path)

    assert weights(engine.model) != weights(str(other))
