"""``midfill train``: what it is asked, what it refuses, and what it says at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from midfill.inference.errors import UsageError
from midfill.inference.models.embedded.adapter import FORMAT, AdapterFile
from midfill.inference.progress import Progress
from midfill.inference.training import session
from midfill.inference.training.acceptance import Acceptance
from midfill.inference.training.checkpoint import NAME
from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.errors import RecipeInvalid
from midfill.inference.training.fitting_recipe import with_shape_of
from midfill.inference.training.recipe import Recipe, Shape, read_recipe
from midfill.inference.training.run import Outcome
from midfill.inference.training.session import Choices
from midfill.inference.training.student import initial_parameters
from midfill.lsp.cli import app
from midfill.lsp.progress_view import plain_lines, progress_view

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

GAINED = Outcome(
    60_000, 60_000, Acceptance((0.7, 0.5), (1.7, 2.0)), Acceptance((0.75, 0.6), (1.75, 2.2))
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["train", *arguments])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    for name in ("first", "second", "third"):
        text = "".join(f"def {name}_{i}(x):\n    return {name} + {i}\n" for i in range(12))
        (folder / f"{name}.py").write_text(text)
    return folder


def test_a_folder_without_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, complaint in (("empty", "has no source files"), ("missing", "does not exist")):
        caught = run("--on", str(tmp_path / place)).exception
        assert isinstance(caught, CorpusUnusable)
        assert complaint in str(caught)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--device", "abacus"), "there is no device 'abacus' here"),
        (("--on", ".", "--corpus", "."), "--on and --corpus exclude each other"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_read(
    arguments: tuple[str, ...], complaint: str
) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, UsageError)
    assert complaint in str(result.exception)
    assert result.stderr == ""


def test_short_files_are_said_and_trained_on_with_shorter_windows(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes: list[Recipe] = []

    def keep(recipe: Recipe, *others: object) -> Outcome:
        recipes.append(recipe)
        return GAINED

    monkeypatch.setattr(session, "_run", keep)
    said = run("--on", str(repository)).stderr
    usual = read_recipe(session.REPOSITORY_RECIPE)
    read = recipes[0].held_out.sizes.prefix
    assert read < usual.held_out.sizes.prefix
    assert f"its files are short: {read} tokens are read instead of 120" in said


def test_the_end_says_what_was_gained_and_how_to_use_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "train_on_repository", lambda *others: GAINED)
    out = repository / "my run"
    lines = run("--on", str(repository), "--out", str(out)).stdout.splitlines()
    assert lines[0] == "trained 60,000 targets; on files that were held out:"
    assert lines[1].split() == [
        "tokens",
        "a",
        "step",
        *["2.000", "before,", "2.200", "after", "(+10.0%)"],
    ]
    assert lines[2].split()[3:] == ["70.0%", "before,", "75.0%", "after"]
    assert lines[-1] == f"use it:  MIDFILL_ADAPTER='{out / 'adapter.safetensors'}' midfill …"


def test_a_run_that_was_complete_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = Outcome(60_000, 0, GAINED.before, GAINED.before)
    monkeypatch.setattr(session, "train_on_repository", lambda *others: complete)
    said = run("--on", str(repository)).stdout
    assert "is complete with 60,000 targets (--targets N makes it longer" in said
    assert "nothing was gained" in said


def test_an_interrupt_says_in_one_line_how_to_go_on(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*others: object) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "train_on_repository", interrupt)
    arguments = ("--on", str(repository), "--out", str(repository))
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == (
        "midfill: interrupted before the first checkpoint; the same command starts again\n"
    )
    (repository / NAME).touch()
    assert run(*arguments).stderr == (
        f"midfill: interrupted; the same command goes on from the checkpoint in {repository}\n"
    )
    assert "without --restart goes on" in run(*arguments, "--restart").stderr


def test_every_repository_has_a_run_of_its_own(tmp_path: Path, cache: Path) -> None:
    choices = Choices()
    one, other = choices.folder(tmp_path / "a" / "app"), choices.folder(tmp_path / "b" / "app")
    assert one != other
    assert one.name.startswith("app-")
    assert one.parent == other.parent == cache / "training"
    assert Choices(out=tmp_path).folder(tmp_path / "a") == tmp_path


def test_going_on_from_an_adapter_takes_its_shape() -> None:
    from tiny_training import ARCHITECTURE, RECIPE, SHAPE

    tensors = {**initial_parameters(SHAPE, ARCHITECTURE, 0)}
    tensors["guess_tokens"] = tensors["mask_embeddings"].new_zeros(300)
    file = AdapterFile(tensors, {"format": FORMAT, "entry_layer": "1"})
    other = RECIPE.model_copy(update={"shape": Shape(rank=64)})
    assert with_shape_of(other, file).shape == SHAPE.model_copy(update={"guessable": 300})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[data]\nmiddle = [9, 3]", "data.middle: the least comes first"),
        ("[data]\nmiddle = [-1, 3]", "data.middle.0: Input should be greater"),
        ("[data]\nwindows = []", "data.windows: Tuple should have at least 1 item"),
        ("[data.languages]\npyton = 1", "data.languages: there is no 'pyton'; there are python"),
        ("[data.languages]\npython = 0", "data.languages.python: Input should be greater"),
        ("[data]\nlanguages = {}", "data.languages: Dictionary should have at least 1 item"),
        ("[optimisation]\nbetas = [0.9, 1.0]", "optimisation.betas.1: Input should be less"),
        ("[optimisation]\nlearning_rate = nan", "optimisation.learning_rate: Input should be"),
        ("[optimisation]\npasses = inf", "optimisation.passes: Input should be"),
        ("[optimisation]\ndistance_weights = []", "optimisation.distance_weights: Tuple should"),
        ("[optimisation]\nsmoothing = 1", "optimisation.smoothing: Input should be less"),
        ("seed = -1", "seed: Input should be greater"),
        ("[unknown]\nx = 1", "unknown: Extra inputs"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(content)
    with pytest.raises(RecipeInvalid) as caught:
        read_recipe(path)
    assert f"the recipe {path}: {complaint}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_recipe_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "recipe.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(RecipeInvalid, match=r"recipe\.toml cannot be read \([A-Zi][^\[\]]*\)$"):
        read_recipe(path)


def test_figures_follow_the_share_that_is_done() -> None:
    said: list[str] = []
    clock = iter(range(0, 1000, 10))
    listen = plain_lines(said.append, lambda: float(next(clock)), silence=15.0)
    for done in range(4):
        listen(Progress("training", done / 4, f"{done} of 4 targets"))
    assert said == ["training", "training: 50%, 2 of 4 targets"]


def test_on_a_terminal_figures_stand_below_the_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with progress_view() as listen:
        listen(Progress("training", 0.5, "100 of 200 targets, loss 0.8"))
    shown = capsys.readouterr().err
    assert shown.index("50%") < shown.index("100 of 200 targets, loss 0.8")
