"""Training runs: they learn, can be interrupted anywhere, and lose nothing."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_training import ARCHITECTURE, RECIPE, tiny_base, tiny_corpus

from midfill.inference.errors import MidfillError, NoSpace
from midfill.inference.models.embedded.adapter import read_adapter
from midfill.inference.training import checkpoint as checkpoint_module
from midfill.inference.training import run as run_module
from midfill.inference.training.checkpoint import NAME, read_checkpoint
from midfill.inference.training.errors import CheckpointUnusable
from midfill.inference.training.run import ADAPTER, CURVE, HISTORY, Outcome, Run

if TYPE_CHECKING:
    from pathlib import Path

    from tiny_training import FinishedRun

    from midfill.inference.progress import Progress, ProgressListener
    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.training.recipe import Recipe


def nobody(progress: Progress) -> None:
    pass


class Stopped(Exception):
    pass


@pytest.fixture(autouse=True)
def few_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all the rest; one test looks at the picture."""
    if "curve" not in request.node.name:
        monkeypatch.setattr(run_module, "draw_learning_curve", lambda path, history: None)


@pytest.fixture(autouse=True)
def folder_of_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()


def started(
    tmp_path: Path,
    tokenizer: Tokenizer,
    recipe: Recipe = RECIPE,
    listener: ProgressListener = nobody,
    name: str = "run",
) -> Run:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return Run(
        recipe, tiny_corpus(), folder, tiny_base(), ARCHITECTURE, tokenizer, listener=listener
    )


def trained(
    tmp_path: Path, tokenizer: Tokenizer, recipe: Recipe = RECIPE, name: str = "run"
) -> Run:
    run = started(tmp_path, tokenizer, recipe, name=name)
    run.finish()
    return run


def longer(recipe: Recipe, targets: int) -> Recipe:
    optimisation = recipe.optimisation.model_copy(update={"targets": targets})
    return recipe.model_copy(update={"optimisation": optimisation})


def test_a_run_leaves_a_checkpoint_an_adapter_a_history_and_a_curve(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    run = started(tmp_path, tokenizer)
    outcome = run.finish()
    assert isinstance(outcome, Outcome)
    assert outcome.targets >= RECIPE.optimisation.targets
    folder = tmp_path / "run"
    assert {path.name for path in folder.iterdir()} == {NAME, ADAPTER, HISTORY, CURVE}
    history = json.loads((folder / HISTORY).read_text())
    assert history[0]["targets"] == 0
    adapter = read_adapter(folder / ADAPTER)
    assert adapter.tensors["mask_embeddings"].dtype == torch.bfloat16
    assert len(adapter.tensors["guess_tokens"]) == RECIPE.shape.guessable


def test_the_same_seed_trains_the_same_adapter_and_another_one_another(
    tmp_path: Path, tokenizer: Tokenizer, finished_run: FinishedRun
) -> None:
    first = finished_run.state.parameters
    again = trained(tmp_path, tokenizer, name="b").state.parameters
    other = trained(
        tmp_path, tokenizer, RECIPE.model_copy(update={"seed": 1}), name="c"
    ).state.parameters
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("calls", [5, 40, 75])
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    tmp_path: Path, tokenizer: Tokenizer, finished_run: FinishedRun, calls: int
) -> None:
    straight = finished_run.state
    left = calls

    def stop_after_a_while(progress: Progress) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Stopped

    with pytest.raises(Stopped):
        started(tmp_path, tokenizer, listener=stop_after_a_while).finish()
    resumed = trained(tmp_path, tokenizer).state
    assert resumed.targets == straight.targets
    assert [entry["right"] for entry in resumed.history] == [
        entry["right"] for entry in straight.history
    ]
    for group in ("parameters", "averaged", "moments"):
        mine, theirs = getattr(resumed, group), getattr(straight, group)
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_training_learns_what_repeats(tmp_path: Path, tokenizer: Tokenizer) -> None:
    losses: list[float] = []

    def listen(progress: Progress) -> None:
        if "loss" in progress.message:
            losses.append(float(progress.message.split("loss ")[1].split(",")[0]))

    text = RECIPE.data.model_copy(update={"targets": "text", "windows_per_round": 8})
    recipe = longer(RECIPE, 2400).model_copy(update={"data": text})
    run = started(tmp_path, tokenizer, recipe, listen)
    before, after = (outcome := run.finish()).before, outcome.after
    assert sum(after.right) >= sum(before.right)
    assert run.state.history[-1]["loss"] < 0.8 * run.state.history[1]["loss"]


def test_a_finished_run_can_be_made_longer(
    tmp_path: Path, tokenizer: Tokenizer, finished_run: FinishedRun
) -> None:
    finished_run.copy_to(tmp_path / "run")
    first = finished_run.state.targets
    assert trained(tmp_path, tokenizer, longer(RECIPE, 300)).state.targets >= 300 > first


def test_a_checkpoint_of_another_shape_is_refused(
    tmp_path: Path, tokenizer: Tokenizer, finished_run: FinishedRun
) -> None:
    finished_run.copy_to(tmp_path / "run")
    shape = RECIPE.shape.model_copy(update={"rank": 8})
    with pytest.raises(CheckpointUnusable, match=r"another shape.*lora_A is 48×4 there and 48×8"):
        started(tmp_path, tokenizer, RECIPE.model_copy(update={"shape": shape}))


def test_a_checkpoint_of_another_recipe_is_refused(
    tmp_path: Path, tokenizer: Tokenizer, finished_run: FinishedRun
) -> None:
    finished_run.copy_to(tmp_path / "run")
    optimisation = RECIPE.optimisation.model_copy(update={"learning_rate": 1e-5})
    with pytest.raises(CheckpointUnusable, match="another recipe"):
        started(tmp_path, tokenizer, RECIPE.model_copy(update={"optimisation": optimisation}))


@pytest.mark.parametrize("damage", [b"", b"no tensors at all", b"\xff" * 64])
def test_a_damaged_checkpoint_is_refused_in_one_line(
    tmp_path: Path, tokenizer: Tokenizer, damage: bytes
) -> None:
    (tmp_path / "run" / NAME).write_bytes(damage)
    with pytest.raises(CheckpointUnusable, match="is damaged") as caught:
        started(tmp_path, tokenizer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        checkpoint_module.SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        ),
    ],
)
def test_a_full_disk_while_saving_leaves_the_last_checkpoint(
    tmp_path: Path,
    tokenizer: Tokenizer,
    finished_run: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
) -> None:
    finished_run.copy_to(tmp_path / "run")
    targets = finished_run.state.targets
    real = checkpoint_module.save_file

    def fill_the_disk(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of it")
        raise failure

    monkeypatch.setattr(checkpoint_module, "save_file", fill_the_disk)
    with pytest.raises(NoSpace, match="make room and run the same command again"):
        started(tmp_path, tokenizer, longer(RECIPE, 400)).finish()
    assert not list((tmp_path / "run").glob("*.partial"))
    kept = read_checkpoint(tmp_path / "run")
    assert kept is not None
    assert kept.targets == targets
    monkeypatch.setattr(checkpoint_module, "save_file", real)
    assert trained(tmp_path, tokenizer, longer(RECIPE, 400)).state.targets >= 400


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    run = started(tmp_path, tokenizer)
    (tmp_path / "run").rmdir()
    with pytest.raises(MidfillError, match="cannot be written") as caught:
        run.finish()
    assert "\n" not in str(caught.value)


def test_training_leaves_the_base_alone(tmp_path: Path, tokenizer: Tokenizer) -> None:
    base = tiny_base()
    before = base.layers[2].down.clone(), base.head.clone()
    Run(RECIPE, tiny_corpus(), tmp_path / "run", base, ARCHITECTURE, tokenizer).finish()
    assert torch.equal(base.layers[2].down, before[0])
    assert torch.equal(base.head, before[1])
