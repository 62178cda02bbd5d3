"""What a training run keeps, refuses to go on with, and says while it is at work."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest
from tiny_training import ARCHITECTURE, RECIPE, tiny_base, tiny_corpus

from midfill.inference.errors import MidfillError, NoSpace
from midfill.inference.training import run as run_module
from midfill.inference.training import whole_file
from midfill.inference.training.checkpoint import NAME, read_checkpoint, write_checkpoint
from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.corpus.source_text import Corpus, SourceText
from midfill.inference.training.errors import CheckpointUnusable
from midfill.inference.training.learning_curve import draw_learning_curve
from midfill.inference.training.recipe import Recipe, first_difference
from midfill.inference.training.run import ADAPTER, CURVE, HISTORY, Run
from midfill.lsp.progress_view import plain_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tiny_training import FinishedRun

    from midfill.inference.progress import Progress, ProgressListener
    from midfill.inference.tokenizer import Tokenizer

FIGURES = {"targets": 0, "right": [0.5, 0.2], "tokens_per_step": [1.5, 1.7]}


def draw_nothing(path: Path, history: object) -> None:
    with whole_file.written_whole(path) as partial:
        partial.write_bytes(b"a picture")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing one takes longer than all the rest."""
    monkeypatch.setattr(run_module, "draw_learning_curve", draw_nothing)


def nobody(progress: Progress) -> None:
    pass


def started(
    folder: Path,
    tokenizer: Tokenizer,
    recipe: Recipe = RECIPE,
    corpus: Corpus | None = None,
    listener: ProgressListener = nobody,
) -> Run:
    return Run(
        recipe,
        corpus or tiny_corpus(),
        folder,
        tiny_base(),
        ARCHITECTURE,
        tokenizer,
        listener=listener,
    )


def changed(recipe: Recipe, **optimisation: object) -> Recipe:
    section = recipe.optimisation.model_copy(update=optimisation)
    return recipe.model_copy(update={"optimisation": section})


@pytest.mark.parametrize("name", [NAME, ADAPTER, HISTORY, CURVE])
def test_a_full_disk_costs_no_file_that_was_whole(
    tmp_path: Path,
    tokenizer: Tokenizer,
    finished_run: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    finished_run.copy_to(tmp_path)
    before = (tmp_path / name).read_bytes()
    settle = whole_file._settle

    def fill_up(partial: Path) -> None:
        if partial.name == f"{name}.partial":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        settle(partial)

    monkeypatch.setattr(whole_file, "_settle", fill_up)
    with pytest.raises(NoSpace, match="make room and run the same command again"):
        started(tmp_path, tokenizer, changed(RECIPE, targets=400)).finish()
    assert (tmp_path / name).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {NAME, ADAPTER, HISTORY, CURVE}


def test_the_picture_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_learning_curve(tmp_path / CURVE, [FIGURES, {**FIGURES, "targets": 5000}])
    before = (tmp_path / CURVE).read_bytes()
    assert before.startswith(b"\x89PNG")

    def fail(partial: Path) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(whole_file, "_settle", fail)
    with pytest.raises(NoSpace):
        draw_learning_curve(tmp_path / CURVE, [FIGURES])
    assert (tmp_path / CURVE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [CURVE]


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_whoever_may_read_the_users_files_may_read_the_adapter(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    before = os.umask(0o022)
    try:
        started(tmp_path, tokenizer).finish()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {NAME: 0o644, ADAPTER: 0o644, HISTORY: 0o644, CURVE: 0o644}


def test_a_file_is_on_the_disk_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    seen: list[str] = []
    monkeypatch.setattr(whole_file.os, "fsync", lambda handle: seen.append(path.read_text()))
    with whole_file.written_whole(path) as partial:
        partial.write_text("new")
    assert seen == ["old"]
    assert path.read_text() == "new"


def test_an_interrupt_costs_only_the_round_that_it_interrupts(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    recipe = changed(RECIPE, targets=10_000)

    def interrupt_the_third_round(progress: Progress) -> None:
        if progress.message != "training" or run.state.rounds != 2:
            return
        if run.state.targets > targets_kept():
            raise KeyboardInterrupt

    def targets_kept() -> int:
        kept = read_checkpoint(tmp_path)
        return kept.targets if kept else 0

    run = started(tmp_path, tokenizer, recipe, listener=interrupt_the_third_round)
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    kept = read_checkpoint(tmp_path)
    assert kept is not None
    assert kept.rounds == 2
    assert not list(tmp_path.glob("*.partial"))


def test_only_the_number_of_targets_may_change_on_the_way() -> None:
    def other(section: str, **update: object) -> Recipe:
        return RECIPE.model_copy(
            update={section: getattr(RECIPE, section).model_copy(update=update)}
        )

    assert first_difference(RECIPE, other("optimisation", targets=5)) is None
    assert first_difference(RECIPE, other("optimisation", decay=0.9)) == (
        "optimisation.decay is 0.4 there and 0.9 here"
    )
    assert first_difference(RECIPE, other("data", continuation=99)) == (
        "data.continuation is 12 there and 99 here"
    )
    both = changed(other("held_out", every=7), targets=5)
    assert first_difference(RECIPE, both) == "held_out.every is 60 there and 7 here"
    assert first_difference(RECIPE, RECIPE.model_copy(update={"seed": 3})) == (
        "seed is 0 there and 3 here"
    )


def test_a_run_does_not_go_on_with_other_code(
    tmp_path: Path, tokenizer: Tokenizer, finished_run: FinishedRun
) -> None:
    finished_run.copy_to(tmp_path)
    corpus = tiny_corpus()
    longer = SourceText("package", "more.py", "python", "x = 1\n" * 200)
    with pytest.raises(CheckpointUnusable, match=r"has changed since: start again by --restart"):
        started(tmp_path, tokenizer, corpus=Corpus((*corpus.train, longer), corpus.held_out))


def test_a_checkpoint_that_names_no_corpus_is_gone_on_with(
    tmp_path: Path, tokenizer: Tokenizer, finished_run: FinishedRun
) -> None:
    finished_run.copy_to(tmp_path)
    run = started(tmp_path, tokenizer)
    run.state.corpus = ""
    write_checkpoint(tmp_path, run.state)
    assert started(tmp_path, tokenizer).state.targets == run.state.targets


def test_a_complete_run_trains_nothing_more_and_still_leaves_an_adapter(
    tmp_path: Path, tokenizer: Tokenizer, finished_run: FinishedRun
) -> None:
    finished_run.copy_to(tmp_path)
    first = finished_run.outcome
    (tmp_path / ADAPTER).unlink()
    again = started(tmp_path, tokenizer).finish()
    assert (first.now, again.now) == (first.targets, 0)
    assert again.after == first.after
    assert (tmp_path / ADAPTER).exists()


def test_a_loss_that_is_no_number_is_not_saved(
    tmp_path: Path,
    tokenizer: Tokenizer,
    finished_run: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finished_run.copy_to(tmp_path)
    before = (tmp_path / NAME).read_bytes()
    run = started(tmp_path, tokenizer, changed(RECIPE, targets=400))
    run._weights.fill_(float("nan"))
    with pytest.raises(MidfillError, match="the loss is nan after"):
        run.finish()
    assert (tmp_path / NAME).read_bytes() == before


def test_progress_is_measured_on_held_out_files_only(tmp_path: Path, tokenizer: Tokenizer) -> None:
    train = tiny_corpus().train
    odd = SourceText("p", "odd.py", "python", "while True:\n    print('held out')\n" * 60)
    run = started(tmp_path, tokenizer, corpus=Corpus(train, (odd,)))
    for window in run._held_out_windows.round("held-out", 8):
        assert "def function_" not in tokenizer.decode(window[3:])
    for window in run._windows.round("0/0", 8):
        assert "held out" not in tokenizer.decode(window[3:])
    with pytest.raises(CorpusUnusable, match="no files that are held out"):
        started(tmp_path / "other", tokenizer, corpus=Corpus(train, ()))


def test_off_a_terminal_a_run_says_a_line_now_and_then(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    said: list[str] = []
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    started(tmp_path, tokenizer, listener=plain_lines(said.append, clock, 15.0)).finish()
    assert said[:2] == ["counting tokens", "training"]
    assert len(said[2:]) <= now / 15
    last = said[-1]
    for fact in (
        " of 160 targets, loss ",
        "held-out: 1st guess ",
        " tokens a step, ",
        " targets/s",
    ):
        assert fact in last
    assert last.endswith(" min left")
    history = json.loads((tmp_path / HISTORY).read_text())
    assert history[-1]["loss"] is not None
