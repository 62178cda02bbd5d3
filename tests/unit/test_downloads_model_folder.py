"""A model's folder in the cache: complete, damaged, shared by processes, looked at in passing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_model import CONTENT, PUBLISHED, FileServer, hub_server, serving

from midfill.inference.downloads.model_folder import ModelFolder, Product, State
from midfill.inference.errors import MidfillError, WeightsCorrupt, WeightsMissing
from midfill.inference.progress import Progress, nobody_listens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.downloads.verified_file import PublishedFile
    from midfill.inference.progress import ProgressListener


class Publisher:
    """A source that counts how often it is asked, and remembers what was there already."""

    name = "the publisher"

    def __init__(self) -> None:
        self.asked = 0
        self.intact = 0

    def append(
        self, file: PublishedFile, partial: Path, intact: int, report: Callable[[int], None]
    ) -> None:
        self.asked += 1
        self.intact = intact
        partial.write_bytes(CONTENT)


class Maker:
    """Makes a product, the file's bytes in reverse, and counts how often it did."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, source: Path, target: Path, listener: ProgressListener) -> None:
        self.made += 1
        listener(Progress("making it", 0.5))
        target.write_bytes(source.read_bytes()[::-1])


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def folder(tmp_path: Path, publisher: Publisher, maker: Maker) -> ModelFolder:
    products = (Product("reversed.bin", len(CONTENT), maker),)
    return ModelFolder(tmp_path / "models" / "small", PUBLISHED, (publisher,), products, 1)


@pytest.fixture
def complete(folder: ModelFolder) -> ModelFolder:
    folder.ensure(nobody_listens, pull=True)
    return folder


def product(folder: ModelFolder) -> Path:
    return folder.path / "reversed.bin"


def source(folder: ModelFolder) -> Path:
    return folder.path / PUBLISHED.name


def touch(path: Path) -> None:
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))


def test_what_is_missing_is_pulled_and_made(folder: ModelFolder) -> None:
    assert folder.state() is State.MISSING

    folder.ensure(nobody_listens, pull=True)

    assert source(folder).read_bytes() == CONTENT
    assert product(folder).read_bytes() == CONTENT[::-1]
    assert folder.state() is State.READY
    visible = sorted(path.name for path in folder.path.glob("[!.]*"))
    assert visible == ["prepared.json", "reversed.bin", "small.gguf"]


def test_a_complete_folder_is_neither_read_nor_changed(
    complete: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    monkeypatch.setattr("hashlib.sha256", None)
    before = complete.path.stat().st_mtime_ns

    complete.ensure(told.append, pull=True)

    assert told == []
    assert complete.path.stat().st_mtime_ns == before


def test_without_leave_to_pull_nothing_is_fetched_or_made(folder: ModelFolder) -> None:
    with pytest.raises(WeightsMissing, match="run `midfill model pull small`"):
        folder.ensure(nobody_listens, pull=False)

    assert not folder.path.exists()


def test_a_file_put_there_by_hand_is_taken(folder: ModelFolder, publisher: Publisher) -> None:
    folder.path.mkdir(parents=True)
    source(folder).write_bytes(CONTENT)
    assert folder.state() is State.UNVERIFIED

    folder.ensure(nobody_listens, pull=False)

    assert folder.state() is State.READY
    assert publisher.asked == 0


@pytest.mark.parametrize("damage", [CONTENT[:-1], CONTENT[:-1] + b"?"], ids=["cut off", "altered"])
def test_a_damaged_product_is_made_anew_without_a_network(
    complete: ModelFolder, publisher: Publisher, maker: Maker, damage: bytes
) -> None:
    product(complete).write_bytes(damage)
    touch(product(complete))

    complete.ensure(nobody_listens, pull=False)

    assert product(complete).read_bytes() == CONTENT[::-1]
    assert (publisher.asked, maker.made) == (1, 2)


def test_a_product_that_was_deleted_is_made_anew(complete: ModelFolder, maker: Maker) -> None:
    product(complete).unlink()

    complete.ensure(nobody_listens, pull=False)

    assert product(complete).read_bytes() == CONTENT[::-1]


def test_files_that_were_only_copied_are_hashed_once_and_kept(
    complete: ModelFolder, maker: Maker
) -> None:
    touch(source(complete))
    touch(product(complete))
    told: list[Progress] = []

    complete.ensure(told.append, pull=False)
    first = len(told)
    complete.ensure(told.append, pull=False)

    assert 0 < first == len(told)
    assert all(progress.message.startswith("checking") for progress in told)
    assert maker.made == 1


@pytest.mark.parametrize("damage", [CONTENT[:-1], CONTENT[:-1] + b"?"], ids=["cut off", "altered"])
def test_a_damaged_published_file_is_reported_and_repaired_on_demand(
    complete: ModelFolder, publisher: Publisher, damage: bytes
) -> None:
    source(complete).write_bytes(damage)
    touch(source(complete))

    with pytest.raises(WeightsCorrupt) as caught:
        complete.ensure(nobody_listens, pull=True)
    assert str(source(complete)) in str(caught.value)
    assert "`midfill model pull small` fetches it anew" in str(caught.value)
    assert publisher.asked == 1

    complete.repair(nobody_listens)
    assert source(complete).read_bytes() == CONTENT
    assert (publisher.asked, publisher.intact) == (2, 2)
    assert complete.state() is State.READY


def test_repair_finds_what_size_and_date_do_not_show(complete: ModelFolder, maker: Maker) -> None:
    before = product(complete).stat()
    product(complete).write_bytes(bytes(len(CONTENT)))
    os.utime(product(complete), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert complete.state() is State.READY

    complete.repair(nobody_listens)

    assert product(complete).read_bytes() == CONTENT[::-1]


def test_repairing_what_is_intact_changes_nothing(
    complete: ModelFolder, publisher: Publisher, maker: Maker
) -> None:
    complete.repair(nobody_listens)

    assert (publisher.asked, maker.made) == (1, 1)


def test_a_new_format_has_the_products_made_anew(
    complete: ModelFolder, publisher: Publisher, maker: Maker
) -> None:
    replace(complete, format=2).ensure(nobody_listens, pull=False)

    assert (publisher.asked, maker.made) == (1, 2)


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"format": 1, "files": {"x": {}}}', "\ufffd"])
def test_a_record_that_cannot_be_read_is_as_good_as_none(
    complete: ModelFolder, record: str
) -> None:
    (complete.path / "prepared.json").write_text(record, "utf-8")

    complete.ensure(nobody_listens, pull=False)

    assert complete.state() is State.READY


def test_an_interrupted_preparation_leaves_nothing_half_made(
    folder: ModelFolder, publisher: Publisher
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.message == "making it":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.ensure(interrupt, pull=True)
    assert sorted(path.name for path in folder.path.glob("[!.]*")) == [
        "prepared.json",
        "small.gguf",
    ]

    folder.ensure(nobody_listens, pull=True)
    assert publisher.asked == 1


def test_a_cache_folder_that_cannot_be_made_is_one_clear_line(
    folder: ModelFolder, tmp_path: Path
) -> None:
    (tmp_path / "models").touch()

    with pytest.raises(MidfillError, match="set MIDFILL_CACHE_DIR to another folder"):
        folder.ensure(nobody_listens, pull=True)


@pytest.fixture
def slow_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    with serving(hub_server()) as server:
        server.bytes_a_second = 800_000
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def test_two_processes_at_once_do_one_pull(tmp_path: Path, slow_hub: FileServer) -> None:
    command = [sys.executable, "-c", ENSURING, str(tmp_path / "small")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [json.loads(process.communicate(timeout=60)[0]) for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert (tmp_path / "small" / "reversed.bin").read_bytes() == CONTENT[::-1]
    assert slow_hub.transfers() == [None]
    waiting = ["waiting for another process that fetches the small model" in said for said in told]
    assert sorted(waiting) == [False, True]


ENSURING = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from small_model import HUB, PUBLISHED
from midfill.inference.downloads.model_folder import ModelFolder, Product
def reverse(source, target, listener):
    target.write_bytes(source.read_bytes()[::-1])
said = set()
products = (Product("reversed.bin", 1, reverse),)
folder = ModelFolder(Path(sys.argv[1]), PUBLISHED, (HUB,), products, 1)
folder.ensure(lambda progress: said.add(progress.message), pull=True)
print(json.dumps(sorted(said)))
"""


def test_looking_for_the_files_loads_nothing_heavy(tmp_path: Path) -> None:
    finding = """
import sys
from midfill.inference.errors import WeightsMissing
from midfill.inference.models.embedded.files import ensure_files
try:
    ensure_files(pull=False)
except WeightsMissing:
    heavy = {"torch", "numpy", "gguf", "huggingface_hub", "httpx", "tokenizers"}
    print(*sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run(
        [sys.executable, "-c", finding],
        env=os.environ | {"MIDFILL_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout == "\n"
    assert list(tmp_path.iterdir()) == []
