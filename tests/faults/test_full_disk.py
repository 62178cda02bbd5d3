"""A disk without a free byte costs logs and statistics, and nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from echo_service import MIDFILL, start, token_of
from editor import EVERYTHING, Editor, end

from midfill.inference.errors import UsageError
from midfill.inference.service.token_file import new_token, revoke
from midfill.inference.transport import UnixAddress
from midfill.inference.wire import Final, InfillRequest, Limits
from midfill.lsp.engine_client import EngineClient
from midfill.lsp.engine_log import log_file
from midfill.lsp.running_engine import running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echo_service import EchoService

    from midfill.inference.transport import Address

REQUEST = InfillRequest(prefix="a = ", limits=Limits(tokens=2))
WORDS = "first + second"
SIZE = "256k"


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small file system of its own."""
    folder = Path(tempfile.mkdtemp(prefix="mf-disk-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
        why = done.stderr.strip() if done.returncode else ""
    except FileNotFoundError:
        why = "there is no mount command"
    if why:
        folder.rmdir()
        pytest.skip(f"NOT TESTED: a full disk needs a small file system to be mounted: {why}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def fill_up(disk: Path) -> None:
    """Leave not a byte free."""
    with (disk / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)
    with pytest.raises(OSError, match="No space"):
        (disk / "one more").write_bytes(b"x")
    (disk / "one more").unlink()


@pytest.fixture
def here(disk: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Logs, statistics and caches go to the disk, the socket does not."""
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        (disk / name.lower()).mkdir()
        monkeypatch.setenv(name, str(disk / name.lower()))
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(short_folder / "run"))
    return short_folder


async def filled(address: Address) -> bool:
    engine = EngineClient(address)
    try:
        return isinstance([result async for result in engine.infill(REQUEST)][-1], Final)
    finally:
        await engine.aclose()


def started(folder: Path) -> EchoService:
    (folder / "run").mkdir(mode=0o700, exist_ok=True)
    address = UnixAddress(folder / "run" / "engine-m.sock")
    service = start(folder, address, "--on-demand")
    service.wait()
    return service


@pytest.mark.parametrize("full_when", ["before it starts", "while it runs"])
async def test_an_engine_answers_though_its_log_cannot_be_written(
    full_when: str, disk: Path, here: Path
) -> None:
    if full_when == "before it starts":
        fill_up(disk)
    service = started(here)
    try:
        if full_when == "while it runs":
            assert "model loaded" in log_file("m").read_text()
            fill_up(disk)
        answers = [await filled(service.address) for _ in range(20)]
        async with asyncio.timeout(10):
            health = await EngineClient(service.address).health()
        service.process.terminate()
        status = await asyncio.to_thread(service.process.wait, 20)
    finally:
        service.end()

    assert answers == [True] * 20
    assert health.state == "ready"
    assert status == 0


async def test_a_team_server_answers_though_standard_error_cannot_be_written(
    disk: Path, here: Path
) -> None:
    fill_up(disk)
    (disk / "tmp").mkdir()
    path = here / "e.sock"
    service = start(disk, UnixAddress(path), "--socket", str(path), "--log-format", "json")
    try:
        service.wait()
        assert await filled(service.address)
        service.process.terminate()
        assert await asyncio.to_thread(service.process.wait, 20) == 0
    finally:
        service.end()
    assert service.log.read_bytes() == b""


async def test_suggestions_come_though_nothing_can_be_kept_about_them(
    disk: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECHO_WORDS", WORDS)
    fill_up(disk)
    editor = Editor()
    await editor.open_window(command=(str(MIDFILL), "lsp"), options=EVERYTHING)
    try:
        await editor.ready()
        shown = []
        for number in range(3):
            file = f"file:///full{number}.py"
            editor.show(file, f"def add_{number}(first, second):\n    return \n")
            shown.append((await editor.suggestion(file, 1, 11)).insert_text)
            editor.type(file, 2, 1, 11, WORDS)
    finally:
        status = await editor.close_window()
        if health := running_engine("embedded"):
            end(health)

    assert shown == [WORDS] * 3
    assert status == 0
    assert editor.messages == []
    assert editor.log.count("Traceback") == 0


def test_a_token_file_on_a_full_disk_stays_as_it_was(disk: Path) -> None:
    tokens = disk / "tokens"
    tokens.write_text(f"ann {token_of('ann')}\nbob {token_of('bob')}\n")
    before = tokens.read_bytes()
    fill_up(disk)

    with pytest.raises(UsageError, match="No space left"):
        new_token(tokens, "cid")
    with pytest.raises(UsageError, match="No space left"):
        revoke(tokens, "bob")

    assert tokens.read_bytes() == before
    assert {path.name for path in disk.iterdir()} == {"tokens", "ballast"}
