"""``midfill model`` with models of the hub: pulling, licences, what fits, removing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hub_repository import FIRST, NAME, SECOND, SHARDS, WEIGHTS, forget_settings, hub_of
from hub_service import running
from typer.testing import CliRunner

from midfill.inference.downloads.repository.snapshots import local_folder, snapshots
from midfill.inference.errors import DownloadFailed, UsageError, WeightsCorrupt, WeightsMissing
from midfill.inference.torch_report import TorchReport
from midfill.lsp.model_commands import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result
    from hub_service import HubService

GIGABYTE = 10**9
WITH_CARD = TorchReport(
    version="2.13.0",
    threads=4,
    vectors="AVX512",
    bfloat16=True,
    cuda=("A Card",),
    cuda_memory=(24 * GIGABYTE,),
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no hub until a test has one, and a machine that is always the same."""
    forget_settings(monkeypatch)
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("midfill.lsp.doctor_checks.Machine.torch", WITH_CARD)
    monkeypatch.setattr("midfill.lsp.doctor_checks.available_memory", lambda: 10 * GIGABYTE)
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubService]:
    with running(hub_of()) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.url)
        yield service


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits in front of the terminal."""
    monkeypatch.setattr("midfill.lsp.licence_question.somebody_is_there", lambda: True)


def run(*arguments: str, says: str = "") -> Result:
    return CliRunner().invoke(app, arguments, input=says, catch_exceptions=False)


def output(*arguments: str, says: str = "") -> str:
    result = run(*arguments, says=says)
    assert result.exit_code == 0
    return result.stdout


def restrict(hub: HubService) -> None:
    hub.repositories[NAME].card = {
        "license": "other",
        "license_name": "research-only",
        "license_link": "LICENSE",
    }


def test_a_pull_says_what_is_here_now_and_under_which_licence(hub: HubService) -> None:
    said = output("pull", NAME)

    folder = local_folder(NAME)
    assert said == (f"{NAME} (apache-2.0, commit {FIRST[:7]}) is complete and intact in {folder}\n")


def test_a_revision_is_pulled_and_named(hub: HubService) -> None:
    hub.repositories[NAME].branches["v1"] = FIRST

    output("pull", f"{NAME},revision=v1")

    assert list(snapshots(NAME)[0].record.asked) == ["v1"]


def test_a_branch_that_has_moved_is_told_and_the_old_commit_can_be_removed(
    hub: HubService,
) -> None:
    output("pull", NAME)
    repository = hub.repositories[NAME]
    repository.commits[SECOND] = {**repository.commits[FIRST], SHARDS[1]: WEIGHTS[0]}
    repository.branches["main"] = SECOND

    said = output("pull", NAME)

    assert f"main of {NAME} has moved from 1111111 to 2222222; the old one is used until" in said
    assert f"`midfill model remove {NAME},revision=1111111` deletes it" in said
    assert "is removed" in output("remove", f"{NAME},revision=1111111", "--yes")
    assert [one.record.commit for one in snapshots(NAME)] == [SECOND]


def test_the_licence_is_shown_and_asked_for(hub: HubService, terminal: None) -> None:
    restrict(hub)

    result = run("pull", NAME, says="y\n")

    assert result.exit_code == 0
    page = f"{hub.url}/{NAME}/blob/main/LICENSE"
    assert f"{NAME} is under the licence research-only: {page}" in result.stderr
    assert "Do you agree to it? [y/N]" in result.stderr
    assert snapshots(NAME)[0].record.accepted is not None


def test_what_was_agreed_to_is_not_asked_again_unless_it_changes(
    hub: HubService, terminal: None
) -> None:
    restrict(hub)
    output("pull", NAME, says="y\n")
    assert "agree" not in run("pull", NAME).stderr

    hub.repositories[NAME].card = {"license": "cc-by-nc-4.0"}
    with pytest.raises(WeightsMissing):
        run("pull", NAME, says="n\n")


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_without_agreement_nothing_is_fetched(hub: HubService, terminal: None, answer: str) -> None:
    restrict(hub)

    with pytest.raises(WeightsMissing, match="its licence has not been agreed to"):
        run("pull", NAME, says=answer)

    assert len(hub.requests) == 1
    assert snapshots(NAME) == ()


def test_without_a_terminal_agreement_takes_an_option(hub: HubService) -> None:
    restrict(hub)
    with pytest.raises(UsageError, match=r"\(research-only\) .* add --accept-licence if you"):
        run("pull", NAME)

    output("pull", NAME, "--accept-licence")

    assert snapshots(NAME)[0].record.accepted is not None


def test_nobody_is_asked_about_what_cannot_be_used(hub: HubService, terminal: None) -> None:
    restrict(hub)
    hub.repositories[NAME].commits[FIRST] = {"pytorch_model.bin": b"a pickle"}

    with pytest.raises(UsageError, match="only as pickles"):
        run("pull", NAME)


def test_a_card_without_a_licence_is_asked_about(hub: HubService) -> None:
    hub.repositories[NAME].card = {}

    with pytest.raises(UsageError, match=r"\(unknown\) is not a permissive one: read it at "):
        run("pull", NAME)


@pytest.mark.parametrize("how", ["option", "variable"])
def test_offline_what_is_here_is_checked_and_nobody_is_asked(
    hub: HubService, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    output("pull", NAME)
    asked = len(hub.requests)
    if how == "variable":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments = ("pull", NAME, *(["--offline"] if how == "option" else []))

    assert "is complete and intact in" in output(*arguments)
    (local_folder(NAME) / SHARDS[0]).write_bytes(WEIGHTS[0][::-1])
    with pytest.raises(WeightsCorrupt, match=f"{SHARDS[0]} is not what was pulled"):
        run(*arguments)
    with pytest.raises(WeightsMissing, match="tests/other has not been pulled"):
        run("pull", "tests/other", "--offline")
    assert len(hub.requests) == asked


def test_a_hub_that_is_down_is_one_line() -> None:
    with pytest.raises(DownloadFailed, match=r"^tests/small-diffusion cannot be fetched .*$"):
        run("pull", NAME)


def test_names_that_cannot_be_pulled_are_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder of yours"):
        run("pull", str(tmp_path))
    with pytest.raises(UsageError, match="is on a server"):
        run("show", "vllm:http://localhost:8000#m")
    with pytest.raises(UsageError, match="takes no options"):
        run("pull", "embedded,weights=int8")
    with pytest.raises(UsageError, match="has one file only"):
        run("pull", "embedded", "--file", "other.gguf")


def test_the_list_says_which_form_of_each_known_model_fits_where() -> None:
    lines = {line.split()[0]: line for line in output("list").splitlines()}

    assert "about 50.5 GB" in lines["google/diffusiongemma-26B-A4B-it"]
    assert "A Card: int4" in lines["google/diffusiongemma-26B-A4B-it"]
    assert "memory: int4, A Card: bfloat16" in lines["Dream-org/DreamOn-v0-7B"]
    assert "memory: bfloat16, A Card: bfloat16" in lines["fredzzp/open-dcoder-0.5B"]
    assert "CC-BY-NC-4.0" in lines["Salesforce/CoDA-v0-Base"]
    assert lines["to"] == "to fit in: memory (10.0 GB), A Card (24.0 GB)"


def test_what_fits_nowhere_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midfill.lsp.doctor_checks.Machine.torch", "it does not load")
    monkeypatch.setattr("midfill.lsp.doctor_checks.available_memory", lambda: GIGABYTE)

    assert output("list").count("does not fit") == len(output("list").splitlines()) - 1


def test_the_list_has_what_was_pulled_and_what_was_begun(hub: HubService) -> None:
    output("pull", NAME)
    assert f"{NAME} ready" in " ".join(output("list").split())

    (local_folder(NAME) / "config.json").unlink()
    assert f"{NAME} unverified" in " ".join(output("list").split())


def test_the_list_as_json_has_the_same_models(hub: HubService) -> None:
    output("pull", NAME)

    listed = json.loads(output("list", "--json"))

    assert listed["memory"][1] == {"name": "A Card", "bytes": 24 * GIGABYTE}
    assert listed["models"][0]["name"] == "embedded"
    pulled = next(model for model in listed["models"] if model["name"] == NAME)
    assert pulled["commit"] == FIRST
    assert pulled["exact"] is True
    assert pulled["fits"] == {"memory": "bfloat16", "A Card": "bfloat16"}
    gemma = next(model for model in listed["models"] if "gemma" in model["name"])
    assert (gemma["bytes"], gemma["exact"]) == (50_460_000_000, False)


def test_on_a_terminal_the_list_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "220")

    said = output("list")

    assert "licence" in said.splitlines()[0]
    assert "\x1b[" in said
    assert "A Card: int4" in said


def test_the_list_itself_does_not_load_torch(cache: Path) -> None:
    script = (
        "import sys; from midfill.lsp.model_commands import list_models; list_models(); "
        "print('torch' in sys.modules)"
    )

    found = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"MIDFILL_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.splitlines()[-1] == "False"
    assert not cache.exists()


def test_show_tells_what_is_known_of_a_model_that_is_not_here() -> None:
    said = output("show", "Salesforce/CoDA-v0-Base")

    assert "CC-BY-NC-4.0; its card decides" in said
    assert "about 3.4 GB as bfloat16" in said
    assert "missing" in said


def test_show_tells_commit_licence_folder_and_files_of_what_was_pulled(
    hub: HubService,
) -> None:
    restrict(hub)
    output("pull", NAME, "--accept-licence")

    said = output("show", NAME)

    folder = local_folder(NAME)
    for fact in (FIRST, "research-only, agreed to on 2", "ready", str(folder), "sha256", "main"):
        assert fact in said
    (folder / SHARDS[0]).unlink()
    assert f"{SHARDS[0]}  damaged" in output("show", NAME)


def test_show_of_what_nobody_knows_says_how_to_have_it() -> None:
    with pytest.raises(WeightsMissing, match=f"run `midfill model pull {NAME}`"):
        run("show", NAME)


def test_removing_asks_first(hub: HubService, terminal: None) -> None:
    output("pull", NAME)

    assert run("remove", NAME, says="n\n").exit_code == 1
    assert local_folder(NAME).is_dir()
    folder = local_folder(NAME)
    assert f"{NAME} is removed" in output("remove", NAME, says="y\n")
    assert not folder.exists()


def test_removing_needs_a_terminal_or_an_option_and_something_to_remove(hub: HubService) -> None:
    with pytest.raises(WeightsMissing, match="nothing to remove"):
        run("remove", NAME, "--yes")
    with pytest.raises(UsageError, match="the embedded model is not removed here"):
        run("remove", "embedded", "--yes")
    output("pull", NAME)
    with pytest.raises(UsageError, match="add --yes"):
        run("remove", NAME)
    assert local_folder(NAME).is_dir()
