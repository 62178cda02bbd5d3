"""What is on the disk is seen and can be removed, in whatever state it was left."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hub_repository import FIRST, NAME, SECOND, SHARDS, WEIGHTS, forget_settings, hub_of
from hub_service import running
from typer.testing import CliRunner

from midfill.inference.downloads.cache_folder import make_folder
from midfill.inference.downloads.folder_lock import sole_use
from midfill.inference.downloads.model_folder import State
from midfill.inference.downloads.repository.ensuring import ensure_snapshot
from midfill.inference.downloads.repository.listing import ask_hub
from midfill.inference.downloads.repository.pulling import Wish, pull_snapshot
from midfill.inference.downloads.repository.remains import remains
from midfill.inference.downloads.repository.removing import remove_snapshots
from midfill.inference.downloads.repository.snapshots import (
    local_folder,
    repository_folder,
    snapshots,
)
from midfill.inference.errors import UsageError, WeightsMissing
from midfill.inference.progress import Progress, nobody_listens
from midfill.inference.torch_report import TorchReport
from midfill.lsp.model_commands import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hub_service import HubService

    from midfill.inference.downloads.repository.snapshots import Snapshot

TORCH = TorchReport(version="2.13.0", threads=4, vectors="AVX512", bfloat16=True, cuda=())


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_settings(monkeypatch)
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("midfill.lsp.doctor_checks.Machine.torch", TORCH)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubService]:
    with running(hub_of()) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.url)
        yield service


def pull(revision: str = "main", listener: Callable[[Progress], None] = nobody_listens) -> Snapshot:
    return pull_snapshot(ask_hub(NAME, revision), Wish(revision, repair=True), listener)


def output(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def listed() -> dict[str, Any]:
    """The model as `midfill model list` has it."""
    models = json.loads(output("list", "--json"))["models"]
    (found,) = [model for model in models if model["name"] == NAME]
    return dict(found)


def place() -> Path:
    return repository_folder(NAME) / FIRST


# Which snapshot is the branch


def move_main(hub: HubService) -> None:
    found = hub.repositories[NAME]
    found.commits[SECOND] = {**found.commits[FIRST], SHARDS[1]: WEIGHTS[0]}
    found.branches["main"] = SECOND


def test_pulling_an_old_commit_does_not_make_it_the_branch_again(hub: HubService) -> None:
    pull()
    move_main(hub)
    new = pull().folder

    pull(FIRST)

    assert local_folder(NAME) == local_folder(NAME, "main") == new
    assert local_folder(NAME, FIRST).name == FIRST
    assert "commit 2222222" in output("pull", NAME, "--offline")


def test_mending_an_old_commit_does_not_make_it_the_branch_again(hub: HubService) -> None:
    old = pull().folder
    move_main(hub)
    new = pull().folder
    (old / SHARDS[0]).write_bytes(b"damaged")

    pull(FIRST)

    assert (old / SHARDS[0]).read_bytes() == WEIGHTS[0]
    assert local_folder(NAME) == new


def test_a_branch_that_went_back_is_what_it_went_back_to(hub: HubService) -> None:
    old = pull().folder
    move_main(hub)
    pull()
    hub.repositories[NAME].branches["main"] = FIRST

    pull()

    assert local_folder(NAME) == local_folder(NAME, "main") == old


def test_pulling_again_what_is_here_leaves_its_date(hub: HubService) -> None:
    before = pull().record.completed

    assert pull().record.completed == before


# What was begun


def test_what_has_arrived_before_the_first_file_was_complete_is_seen_and_removed(
    hub: HubService,
) -> None:
    files = hub.repositories[NAME].commits[FIRST]
    files.clear()
    files["only.gguf"] = WEIGHTS[0]

    def interrupt(progress: Progress) -> None:
        if (progress.fraction or 0.0) > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(listener=interrupt)

    arrived = (place() / "only.gguf.partial").stat().st_size
    assert arrived > 0
    assert snapshots(NAME)[0].state() is State.INTERRUPTED
    assert arrived <= listed()["bytes"] < arrived + 5000
    assert "interrupted" in output("show", f"{NAME},revision={FIRST[:7]}")
    output("remove", f"{NAME},revision={FIRST[:7]}", "--yes")
    assert not place().exists()


# What was removed in part


def test_a_removal_that_was_cut_short_leaves_no_model_and_is_finished_later(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = pull()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            remove_snapshots([snapshot], nobody_listens)

    assert not place().exists()
    with pytest.raises(WeightsMissing):
        local_folder(NAME)
    (left,) = remains(NAME)
    assert (left.repository, left.commit) == (NAME, FIRST)
    assert left.size > len(WEIGHTS[0])
    assert listed()["state"] == "damaged"

    output("remove", NAME, "--yes")

    assert remains(NAME) == ()
    assert not left.folder.exists()


def test_the_next_pull_sweeps_what_a_removal_has_left(hub: HubService) -> None:
    left = repository_folder(NAME) / f"{SECOND}.gone-1234"
    left.mkdir(parents=True)
    (left / SHARDS[0]).write_bytes(b"?")

    pull()

    assert not left.exists()
    assert remains(NAME) == ()


def test_of_a_linked_folder_only_the_link_is_removed(hub: HubService, tmp_path: Path) -> None:
    pull()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(place(), elsewhere)
    place().symlink_to(elsewhere / FIRST)
    assert local_folder(NAME) == place()

    output("remove", NAME, "--yes")

    assert not place().is_symlink()
    assert (elsewhere / FIRST / SHARDS[0]).read_bytes() == WEIGHTS[0]


# Records


def changed(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda record: record | fields


def with_file(name: str, **fields: object) -> Callable[[dict[str, Any]], object]:
    def change(record: dict[str, Any]) -> dict[str, Any]:
        sound = record["files"]["config.json"]
        return record | {"files": record["files"] | {name: sound | fields}}

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        lambda _: [],
        changed(files=[]),
        changed(files={"config.json": 5}),
        changed(asked=5),
        changed(asked=["main"]),
        changed(asked={"main": 5}),
        changed(completed=5),
        changed(accepted=[]),
        changed(licence=None),
        changed(licence={"id": "x"}),
        changed(licence={"id": "x", "name": 5, "link": ""}),
        changed(repository=None),
        changed(commit=SECOND),
        with_file("config.json", size="7"),
        with_file("config.json", size=None),
        with_file("config.json", mtime_ns="7"),
        with_file("config.json", sha256=7),
        with_file("config.json", other=7),
        with_file("a\0b"),
        with_file("/etc/hostname"),
        with_file("../escaped"),
    ],
)
def test_a_record_that_makes_no_sense_is_shown_as_damage_and_mended(
    hub: HubService, change: Callable[[dict[str, Any]], object]
) -> None:
    path = pull().folder / "snapshot.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    asked = len(hub.transfers(SHARDS[0]))

    assert listed()["state"] == "damaged"
    assert "damaged" in output("show", NAME)
    with pytest.raises(WeightsMissing):
        local_folder(NAME)
    pull()
    assert listed()["state"] == "ready"
    assert len(hub.transfers(SHARDS[0])) == asked


@pytest.mark.parametrize("content", [b"[" * 200_000, b"\xff\xfe", b""])
def test_a_record_that_is_none_is_shown_as_damage_and_removed(
    hub: HubService, content: bytes
) -> None:
    (pull().folder / "snapshot.json").write_bytes(content)
    assert listed()["state"] == "damaged"

    output("remove", f"{NAME},revision={FIRST}", "--yes")

    assert not place().exists()


def test_a_folder_without_a_record_is_removed_with_the_rest(hub: HubService) -> None:
    pull()
    other = repository_folder(NAME) / SECOND
    other.mkdir()
    (other / SHARDS[0]).write_bytes(WEIGHTS[0])

    said = output("remove", NAME, "--yes")

    assert str(other) in said
    assert not other.exists()
    assert not place().exists()


def test_what_a_record_says_cannot_steer_a_terminal(hub: HubService) -> None:
    path = pull().folder / "snapshot.json"
    record = json.loads(path.read_text())
    record["asked"]["\x1b]0;title\x07"] = "2026"
    record["licence"]["name"] = "\x1b[31mred"
    path.write_text(json.dumps(record))

    assert output("show", NAME).replace("\n", "").isprintable()
    assert output("list").replace("\n", "").isprintable()


def test_another_repository_in_the_same_folder_is_not_written_over(hub: HubService) -> None:
    path = pull().folder / "snapshot.json"
    path.write_text(path.read_text().replace(NAME, "tests--small/diffusion"))

    with pytest.raises(UsageError, match="holds tests--small/diffusion: run `midfill model remove"):
        pull()


# Checking


def touch(snapshot: Snapshot) -> None:
    os.utime(snapshot.folder / SHARDS[0], ns=(0, 0))


def test_a_check_enters_what_it_found_without_undoing_what_others_wrote(hub: HubService) -> None:
    snapshot = pull()
    touch(snapshot)

    def another_writes(_: Progress) -> None:
        path = snapshot.folder / "snapshot.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"asked": record["asked"] | {"v2": "2026"}}))

    ensure_snapshot(NAME, None, another_writes)

    assert "v2" in snapshots(NAME)[0].record.asked
    assert snapshots(NAME)[0].touched_files() == ()


def test_a_check_does_not_wait_for_a_pull(hub: HubService) -> None:
    snapshot = pull()
    touch(snapshot)
    before = (snapshot.folder / "snapshot.json").read_text()
    make_folder(snapshot.folder.parent)

    with sole_use(snapshot.folder.parent, Progress("waiting"), nobody_listens):
        assert ensure_snapshot(NAME, None, nobody_listens) == snapshot.folder

    assert (snapshot.folder / "snapshot.json").read_text() == before
