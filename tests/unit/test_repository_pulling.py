"""Pulling a repository: what is taken, going on after interruptions, and what can go wrong."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest
from hub_repository import (
    FILES,
    FIRST,
    INDEX,
    NAME,
    SECOND,
    SHARDS,
    TAKEN,
    WEIGHTS,
    forget_settings,
    hub_of,
    repository,
)
from hub_service import running

from midfill.inference.downloads.model_folder import State
from midfill.inference.downloads.repository.ensuring import ensure_snapshot
from midfill.inference.downloads.repository.listing import ask_hub
from midfill.inference.downloads.repository.pulling import Wish, pull_snapshot
from midfill.inference.downloads.repository.removing import remove_snapshots
from midfill.inference.downloads.repository.snapshots import (
    find_snapshot,
    local_folder,
    repository_folder,
    snapshots,
)
from midfill.inference.errors import (
    DownloadFailed,
    MidfillError,
    NoSpace,
    UsageError,
    WeightsCorrupt,
    WeightsMissing,
)
from midfill.inference.progress import Progress, nobody_listens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hub_service import HubService

    from midfill.inference.downloads.repository.snapshots import Snapshot

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no hub until a test has one."""
    forget_settings(monkeypatch)
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubService]:
    with running(hub_of()) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.url)
        yield service


def pull(
    revision: str = "main",
    listener: Callable[[Progress], None] = nobody_listens,
    *,
    repair: bool = False,
    gguf: str | None = None,
) -> Snapshot:
    wish = Wish(revision, gguf=gguf, repair=repair)
    return pull_snapshot(ask_hub(NAME, revision), wish, listener)


def interrupt_at(fraction: float) -> Callable[[Progress], None]:
    """A listener that presses Ctrl-C when so much is there."""

    def listen(progress: Progress) -> None:
        if progress.message.startswith("fetching") and (progress.fraction or 0.0) >= fraction:
            raise KeyboardInterrupt

    return listen


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"snapshot.json"}


def only_commit_of(hub: HubService) -> dict[str, bytes]:
    return hub.repositories[NAME].commits[FIRST]


def move_main(hub: HubService) -> None:
    """Have the branch stand for another commit, with other weights in the second shard."""
    files = {**only_commit_of(hub), SHARDS[1]: WEIGHTS[1][::-1]}
    hub.repositories[NAME].commits[SECOND] = files
    hub.repositories[NAME].branches["main"] = SECOND


# What is taken


def test_weights_and_their_words_are_taken_but_neither_code_nor_pickles(hub: HubService) -> None:
    snapshot = pull()

    assert names_in(snapshot.folder) == TAKEN
    for name in TAKEN:
        assert (snapshot.folder / name).read_bytes() == FILES[name]
    asked = {path.rpartition("/")[2] for _, path, _ in hub.requests}
    assert not asked & {"modeling_dream.py", "pytorch_model.bin"}


def test_the_record_pins_the_commit_and_tells_where_everything_is_from(hub: HubService) -> None:
    snapshot = pull()

    record = json.loads((snapshot.folder / "snapshot.json").read_text())
    assert (record["repository"], record["commit"]) == (NAME, FIRST)
    assert list(record["asked"]) == ["main"]
    assert record["licence"]["id"] == "apache-2.0"
    assert record["accepted"] is None
    assert record["completed"]
    assert record["files"].keys() == TAKEN
    assert all(len(file["sha256"]) == 64 for file in record["files"].values())
    assert local_folder(NAME) == snapshot.folder == repository_folder(NAME) / FIRST


def test_tensors_that_the_index_does_not_name_are_left_out(hub: HubService) -> None:
    only_commit_of(hub)["consolidated.safetensors"] = b"the same once more"

    assert names_in(pull().folder) == TAKEN


def test_one_file_without_an_index_is_a_checkpoint_too(hub: HubService) -> None:
    files = only_commit_of(hub)
    for name in (*SHARDS, "model.safetensors.index.json"):
        del files[name]
    files["model.safetensors"] = WEIGHTS[0]
    files["model.fp16.safetensors"] = WEIGHTS[1]

    assert "model.safetensors" in names_in(pull().folder)
    assert "model.fp16.safetensors" not in names_in(local_folder(NAME))


def test_the_user_is_known_to_the_hub_and_to_nobody_else(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "let-me-in")
    hub.repositories[NAME].gated = True

    pull()

    assert hub.tokens == {"hub": {"Bearer let-me-in"}, "store": {None}}


# Going on


def test_a_transfer_that_breaks_goes_on_where_it_broke(hub: HubService) -> None:
    hub.break_after = 123_456

    snapshot = pull()

    assert (snapshot.folder / SHARDS[0]).read_bytes() == WEIGHTS[0]
    assert hub.transfers(SHARDS[0]) == [None, "bytes=123456-"]


def test_an_interrupted_pull_goes_on_where_it_stopped(hub: HubService) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull(listener=interrupt_at(0.75))
    partial = repository_folder(NAME) / FIRST / f"{SHARDS[1]}.partial"
    arrived = partial.stat().st_size
    assert 0 < arrived < len(WEIGHTS[1])
    assert snapshots(NAME)[0].state() is State.INTERRUPTED
    with pytest.raises(WeightsMissing, match=r"in part only: `midfill model pull .*` goes on"):
        local_folder(NAME)

    told: list[Progress] = []
    snapshot = pull(listener=told.append)

    assert (snapshot.folder / SHARDS[1]).read_bytes() == WEIGHTS[1]
    assert names_in(snapshot.folder) == TAKEN
    assert hub.transfers(SHARDS[0]) == [None]
    assert hub.transfers(SHARDS[1]) == [None, f"bytes={arrived}-"]
    fractions = [p.fraction or 0.0 for p in told if p.message.startswith("fetching")]
    assert 0.7 < fractions[0] <= fractions[-1] == 1.0
    assert fractions == sorted(fractions)


def test_a_killed_process_costs_nothing_of_what_had_arrived(hub: HubService) -> None:
    hub.bytes_a_second = 800_000
    process = subprocess.Popen([sys.executable, "-c", PULLING])
    partial = repository_folder(NAME) / FIRST / f"{SHARDS[1]}.partial"
    until = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    arrived = partial.stat().st_size
    assert 0 < arrived < len(WEIGHTS[1])
    hub.bytes_a_second = None

    snapshot = pull()

    assert (snapshot.folder / SHARDS[1]).read_bytes() == WEIGHTS[1]
    assert hub.transfers(SHARDS[0]) == [None]
    assert hub.transfers(SHARDS[1]) == [None, f"bytes={arrived}-"]


def test_a_file_that_had_arrived_whole_is_not_asked_for_again(hub: HubService) -> None:
    place = repository_folder(NAME) / FIRST
    place.mkdir(parents=True)
    (place / f"{SHARDS[0]}.partial").write_bytes(WEIGHTS[0])

    pull()

    assert hub.transfers(SHARDS[0]) == []


def test_remains_of_something_else_are_found_out_and_fetched_anew(hub: HubService) -> None:
    place = repository_folder(NAME) / FIRST
    place.mkdir(parents=True)
    (place / f"{SHARDS[0]}.partial").write_bytes(bytes(1000))

    snapshot = pull()

    assert (snapshot.folder / SHARDS[0]).read_bytes() == WEIGHTS[0]
    assert hub.transfers(SHARDS[0]) == ["bytes=1000-", None]


def test_two_processes_at_once_do_one_pull(hub: HubService) -> None:
    hub.bytes_a_second = 800_000
    both = [
        subprocess.Popen([sys.executable, "-c", PULLING], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [json.loads(process.communicate(timeout=60)[0]) for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert hub.transfers(SHARDS[0]) == hub.transfers(SHARDS[1]) == [None]
    waiting = [f"waiting for another process that fetches {NAME}" in said for said in told]
    assert sorted(waiting) == [False, True]


PULLING = f"""
import json
from midfill.inference.downloads.repository.ensuring import ensure_snapshot
said = set()
ensure_snapshot({NAME!r}, None, lambda progress: said.add(progress.message))
print(json.dumps(sorted(said)))
"""


# What can go wrong


@pytest.mark.parametrize("name", [SHARDS[1], "config.json"])
def test_a_wrong_file_is_deleted_and_refused(hub: HubService, name: str) -> None:
    hub.swapped[name] = FILES[name][::-1]

    with pytest.raises(WeightsCorrupt, match="is not what its publisher published") as caught:
        pull()

    assert name in str(caught.value)
    assert not list(repository_folder(NAME).glob(f"*/{name}*"))
    with pytest.raises(WeightsMissing):
        local_folder(NAME)
    hub.swapped.clear()
    assert (pull().folder / name).read_bytes() == FILES[name]


def test_only_pickles_are_refused_before_anything_is_fetched(hub: HubService) -> None:
    hub.repositories[NAME].commits[FIRST] = {
        "config.json": b"{}",
        "pytorch_model.bin": b"a pickle",
    }

    with pytest.raises(UsageError, match=r"only as pickles \('pytorch_model.bin'\)"):
        pull()
    assert len(hub.requests) == 1


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({SHARDS[1]: None}, f"names {SHARDS[1]}, which is not there"),
        ({"config.json": None}, "it has no config.json"),
        ({"model.safetensors.index.json": None}, "it has no model.safetensors.index.json"),
        ({"model.safetensors.index.json": b"<html>"}, "cannot be read"),
        ({"model.safetensors.index.json": b"[]"}, "cannot be read"),
    ],
)
def test_half_a_checkpoint_is_refused_before_its_weights_are_fetched(
    hub: HubService, files: dict[str, bytes | None], complaint: str
) -> None:
    hub.repositories[NAME] = repository(files=files)

    with pytest.raises(WeightsCorrupt, match=f"is half a checkpoint: .*{complaint}"):
        pull()
    assert hub.transfers(SHARDS[0]) == []


def test_a_repository_without_weights_is_refused(hub: HubService) -> None:
    hub.repositories[NAME].commits[FIRST] = {"README.md": b"Soon!"}

    with pytest.raises(UsageError, match="has no safetensors or GGUF files at its root"):
        pull()


def test_several_gguf_files_are_to_be_chosen_from(hub: HubService) -> None:
    hub.repositories[NAME].commits[FIRST] = {
        "small-q4.gguf": WEIGHTS[0],
        "small-q8.gguf": WEIGHTS[1],
        "mmproj-small.gguf": b"a projector of images",
    }

    with pytest.raises(UsageError, match=r"choose one with --file, of small-q4.gguf \(0.0 GB\), "):
        pull()
    with pytest.raises(UsageError, match=r"has no GGUF file 'other.gguf'; it has: small-q4.gguf"):
        pull(gguf="other.gguf")

    assert names_in(pull(gguf="small-q8.gguf").folder) == {"small-q8.gguf"}
    assert names_in(pull(repair=True).folder) == {"small-q8.gguf"}


def test_a_gguf_file_in_parts_is_taken_whole(hub: HubService) -> None:
    parts = {f"big-0000{number}-of-00002.gguf": WEIGHTS[number - 1] for number in (1, 2)}
    hub.repositories[NAME].commits[FIRST] = parts
    assert names_in(pull().folder) == parts.keys()

    hub.repositories[NAME].commits[FIRST] = dict(list(parts.items())[:1])
    with pytest.raises(WeightsCorrupt, match="it has 1 of 2 parts"):
        pull()


def test_names_that_lead_out_of_the_folder_are_not_followed(hub: HubService, cache: Path) -> None:
    only_commit_of(hub)["../../../escaped.safetensors"] = b"?"
    only_commit_of(hub)["C:evil.safetensors"] = b"?"

    assert names_in(pull().folder) == TAKEN
    assert list(cache.parent.rglob("*escaped*")) == []


def test_an_unknown_repository_is_one_clear_line(hub: HubService) -> None:
    with pytest.raises(UsageError, match=r"has no repository 'tests/other', .*check the name"):
        ask_hub("tests/other", "main")


def test_an_unknown_revision_is_one_clear_line(hub: HubService) -> None:
    with pytest.raises(UsageError, match="has no revision 'v9': name one of"):
        ask_hub(NAME, "v9")


def test_a_gated_repository_names_the_token(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories[NAME].gated = True
    with pytest.raises(UsageError, match=rf"access at {hub.url}/{NAME}: .* set HF_TOKEN"):
        pull()

    monkeypatch.setenv("HF_TOKEN", "somebody-else")
    with pytest.raises(UsageError, match=r"owner of your token \(HF_TOKEN, or the one that `hf"):
        pull()


def test_a_hub_that_is_down_is_one_clear_line() -> None:
    with pytest.raises(DownloadFailed, match=r"^tests/.* \(the model hub cannot be reached\): .*$"):
        ask_hub(NAME, "main")


@pytest.mark.parametrize("address", ["http://[", "nonsense", "ftp://hub"])
def test_an_address_that_makes_no_sense_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)

    with pytest.raises(DownloadFailed, match=r"^HF_ENDPOINT is no address: unset it, or .*$"):
        ask_hub(NAME, "main")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_refuses_is_one_clear_line(hub: HubService, status: int) -> None:
    hub.status = status

    with pytest.raises(DownloadFailed, match=rf"^tests/.* \(the model hub answers {status}\): .*$"):
        ask_hub(NAME, "main")


def test_a_page_to_sign_in_is_not_taken_for_a_listing(hub: HubService) -> None:
    hub.sign_in = True

    with pytest.raises(DownloadFailed, match="answers something else than a listing"):
        ask_hub(NAME, "main")


def test_a_page_to_sign_in_is_not_taken_for_a_file(hub: HubService) -> None:
    listing = ask_hub(NAME, "main")
    hub.sign_in = True

    with pytest.raises(DownloadFailed, match="has another file"):
        pull_snapshot(listing, Wish("main"), nobody_listens)


def test_a_hub_that_goes_away_leaves_what_has_arrived(hub: HubService) -> None:
    listing = ask_hub(NAME, "main")

    def goes_away(progress: Progress) -> None:
        if (progress.fraction or 0.0) > 0.3 and progress.figures:
            hub.status = 503

    with pytest.raises(DownloadFailed, match=r"answers 503\): .* goes on where it stopped"):
        pull_snapshot(listing, Wish("main"), goes_away)
    hub.status = None
    pull()
    assert hub.transfers(SHARDS[0]) == [None]


def test_a_disk_without_room_is_found_before_anything_is_fetched(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**7, 10**7 - 5, 5))

    with pytest.raises(NoSpace, match="make room, or set MIDFILL_CACHE_DIR"):
        pull()
    assert len(hub.requests) == 1


def test_a_disk_that_fills_up_on_the_way_leaves_what_has_arrived(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(progress: Progress) -> None:
        if progress.figures == SHARDS[1]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(NoSpace, match=r"the disk of .* is full"):
        pull(listener=full)
    with pytest.raises(WeightsMissing):
        local_folder(NAME)
    pull()
    assert hub.transfers(SHARDS[0]) == [None]


def test_a_cache_folder_that_cannot_be_made_is_one_clear_line(hub: HubService, cache: Path) -> None:
    cache.touch()

    with pytest.raises(MidfillError, match="set MIDFILL_CACHE_DIR to another folder"):
        pull()


# What is here


def test_pulling_again_fetches_nothing(hub: HubService) -> None:
    pull()
    before = len(hub.requests)

    pull(repair=True)

    assert len(hub.requests) == before + 1  # the listing


def test_damage_is_found_and_mended(hub: HubService) -> None:
    folder = pull().folder
    damaged = folder / SHARDS[0]
    before = damaged.stat()
    damaged.write_bytes(bytes(len(WEIGHTS[0])))
    os.utime(damaged, ns=(before.st_atime_ns, before.st_mtime_ns))

    pull(repair=True)

    assert damaged.read_bytes() == WEIGHTS[0]
    assert hub.transfers(SHARDS[1]) == [None]


def test_a_file_that_was_cut_off_is_told(hub: HubService) -> None:
    folder = pull().folder
    (folder / SHARDS[0]).write_bytes(b"")

    with pytest.raises(WeightsCorrupt, match=rf"{SHARDS[0]} is gone or .* mends it"):
        local_folder(NAME)
    with pytest.raises(WeightsCorrupt):
        ensure_snapshot(NAME, None, nobody_listens)


def test_a_file_that_was_touched_is_read_once_and_has_to_hold_what_it_held(
    hub: HubService,
) -> None:
    snapshot = pull()
    os.utime(snapshot.folder / SHARDS[0], ns=(0, 0))
    told: list[Progress] = []
    ensure_snapshot(NAME, None, told.append)
    assert {progress.message for progress in told} == {f"checking {SHARDS[0]}"}
    told.clear()
    ensure_snapshot(NAME, None, told.append)
    assert told == []

    (snapshot.folder / SHARDS[0]).write_bytes(WEIGHTS[0][::-1])
    with pytest.raises(WeightsCorrupt, match=f"is not what was pulled: .* pull {NAME},revision="):
        ensure_snapshot(NAME, None, nobody_listens)


@pytest.mark.parametrize("record", ["", "[]", "{}", "\ufffd"])
def test_a_record_that_cannot_be_read_is_as_good_as_none(hub: HubService, record: str) -> None:
    folder = pull().folder
    (folder / "snapshot.json").write_text(record, "utf-8")
    with pytest.raises(WeightsMissing):
        local_folder(NAME)

    pull()

    assert local_folder(NAME) == folder
    assert hub.transfers(SHARDS[0]) == [None]


# Revisions


def test_a_branch_that_has_moved_is_used_as_it_was_until_it_is_pulled_anew(
    hub: HubService,
) -> None:
    old = pull().folder
    move_main(hub)
    assert ensure_snapshot(NAME, None, nobody_listens) == old

    with pytest.raises(KeyboardInterrupt):
        pull(listener=interrupt_at(0.75))
    assert local_folder(NAME) == old

    new = pull().folder
    assert new.name == SECOND
    assert local_folder(NAME) == local_folder(NAME, "main") == new
    assert local_folder(NAME, FIRST) == local_folder(NAME, FIRST[:7]) == old
    assert (old / SHARDS[1]).read_bytes() == WEIGHTS[1]


def test_a_branch_that_has_moved_back_is_followed_without_fetching(hub: HubService) -> None:
    old = pull().folder
    move_main(hub)
    pull()
    hub.repositories[NAME].branches["main"] = FIRST

    assert pull().folder == local_folder(NAME) == old
    assert hub.transfers(SHARDS[0]) == [None, None]  # one for each commit


def test_the_main_branch_comes_before_what_was_pulled_later(hub: HubService) -> None:
    main = pull().folder
    hub.repositories[NAME].commits[SECOND] = only_commit_of(hub)
    hub.repositories[NAME].branches["v2"] = SECOND

    other = pull("v2").folder

    assert local_folder(NAME) == main
    assert local_folder(NAME, "v2") == other
    with pytest.raises(WeightsMissing, match=f"{NAME},revision=v3 has not been pulled"):
        local_folder(NAME, "v3")


def test_what_was_pulled_is_used_if_it_is_all_there_is(hub: HubService) -> None:
    hub.repositories[NAME].branches["v2"] = FIRST

    assert pull("v2").folder == local_folder(NAME)


def test_what_is_removed_is_gone_and_the_rest_stays(hub: HubService) -> None:
    old = pull().folder
    move_main(hub)
    new = pull().folder

    gone = find_snapshot(NAME, FIRST)
    assert gone is not None
    remove_snapshots([gone], nobody_listens)

    assert not old.exists()
    assert local_folder(NAME) == new


# Opening a model


def test_a_model_is_pulled_when_it_is_opened_and_never_asked_for_again(hub: HubService) -> None:
    folder = ensure_snapshot(NAME, None, nobody_listens)
    asked = len(hub.requests)

    assert ensure_snapshot(NAME, None, nobody_listens) == folder
    assert len(hub.requests) == asked


def test_a_licence_that_is_not_permissive_is_not_agreed_to_by_opening(hub: HubService) -> None:
    hub.repositories[NAME].card = {"license": "cc-by-nc-4.0"}

    with pytest.raises(WeightsMissing, match=r"\(cc-by-nc-4.0\) .*run `midfill model pull"):
        ensure_snapshot(NAME, None, nobody_listens)
    assert len(hub.requests) == 1

    ensure_snapshot(NAME, None, nobody_listens, accept_licence=True)
    assert snapshots(NAME)[0].record.accepted is not None
    remaining = snapshots(NAME)[0].record
    assert remaining.licence.link == f"{hub.url}/{NAME}"


def test_offline_nothing_is_asked_and_what_is_here_is_used(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsMissing, match="switched off by HF_HUB_OFFLINE"):
        ensure_snapshot(NAME, None, nobody_listens)
    with pytest.raises(DownloadFailed, match="switched off by HF_HUB_OFFLINE"):
        ask_hub(NAME, "main")
    assert hub.requests == []

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    folder = pull().folder
    asked = len(hub.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert ensure_snapshot(NAME, None, nobody_listens) == folder
    assert len(hub.requests) == asked


def test_an_index_is_fetched_once(hub: HubService) -> None:
    pull()

    assert hub.transfers("model.safetensors.index.json") == [None]
    assert json.loads(INDEX)["weight_map"]["a"] == SHARDS[0]
