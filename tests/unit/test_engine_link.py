from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from serving import eventually

from midfill.inference.errors import EngineUnavailable
from midfill.inference.transport import engine_address, lock_file
from midfill.inference.version import version
from midfill.inference.wire import Draft, Final, Health, InfillRequest
from midfill.lsp.engine_client import EngineClient
from midfill.lsp.engine_link import EngineLink
from midfill.lsp.engine_process import engine_command, start_engine
from midfill.lsp.restart_policy import RestartPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from midfill.inference.transport import Address

SERVER = Path(__file__).with_name("stepping_server.py")
REQUEST = InfillRequest(prefix="a = ")


class World:
    """Links to engines of one address, and how often an engine was started there."""

    def __init__(self) -> None:
        self.starts = 0
        self.links: list[EngineLink] = []
        self.told: list[Health] = []
        self.pids: set[int] = set()

    def link(self, *options: str, policy: RestartPolicy | None = None) -> EngineLink:
        """A link that starts engines with these options of ``stepping_server``."""

        async def start(model: str, address: Address) -> None:
            self.starts += 1
            await start_engine(model, address, command=partial(command, options), time_limit=15)

        link = EngineLink("m", self._note, start, policy or RestartPolicy(first_delay=0.05))
        self.links.append(link)
        link.start()
        return link

    def _note(self, health: Health) -> None:
        self.told.append(health)
        if health.pid != os.getpid():
            self.pids.add(health.pid)

    async def running(self) -> Health | None:
        """The engine that answers now, asked by somebody else."""
        with suppress(EngineUnavailable):
            client = EngineClient(engine_address("m"))
            return await client.health()
        return None

    async def end(self) -> None:
        for link in self.links:
            await link.close()
        if found := await self.running():
            self.pids.add(found.pid)
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def command(options: tuple[str, ...], model: str) -> list[str]:
    return [sys.executable, str(SERVER), model, "--grace", "3", *options]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that engines and links put into the file system goes here."""
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MIDFILL_TRANSPORT", raising=False)
    return tmp_path


@pytest.fixture
async def world(here: Path) -> AsyncIterator[World]:
    world = World()
    yield world
    await world.end()


async def filled(link: EngineLink, request: InfillRequest = REQUEST) -> list[Draft | Final]:
    return [result async for result in link.infill(request)]


def state(link: EngineLink) -> str:
    return link.health.state.value if link.health else ""


async def test_a_link_starts_an_engine_and_asks_it(world: World) -> None:
    link = world.link("--load-seconds", "0.3")
    assert not link.ready
    with pytest.raises(EngineUnavailable):
        await filled(link)

    await eventually(lambda: link.ready, within=20)

    assert [type(result) for result in await filled(link)][-2:] == [Draft, Final]
    details = [health.detail for health in world.told]
    assert details[0] == "starting the engine"
    assert "reading the weights" in details
    assert state(link) == "ready"


async def test_over_loopback_tcp_a_link_does_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_TRANSPORT", "tcp")
    link = world.link()

    await eventually(lambda: link.ready, within=20)

    assert isinstance((await filled(link))[-1], Final)


async def test_two_windows_opened_at_once_share_one_engine(world: World) -> None:
    links = [world.link(), world.link()]

    await eventually(lambda: all(link.ready for link in links), within=20)

    assert len({link.health.pid for link in links if link.health}) == 1
    for link in links:
        assert isinstance((await filled(link))[-1], Final)


async def test_an_engine_outlives_a_window_and_ends_after_the_last(world: World) -> None:
    first, second = world.link(), world.link()
    await eventually(lambda: first.ready and second.ready, within=20)

    await first.close()
    await asyncio.sleep(4.0)
    assert second.ready
    assert await world.running()
    await second.close()

    give_up_at = time.monotonic() + 10
    while await world.running():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.1)


async def test_an_engine_that_is_killed_costs_one_request_and_is_started_again(
    world: World,
) -> None:
    link = world.link("--steps", "1000")
    await eventually(lambda: link.ready, within=20)
    first = link.health
    assert first
    results = link.infill(REQUEST)
    await anext(results)

    os.kill(first.pid, signal.SIGKILL)

    with pytest.raises(EngineUnavailable):
        async for _ in results:
            pass
    await eventually(lambda: link.ready and link.health and link.health.pid != first.pid, within=20)
    assert world.starts == 2
    assert isinstance(await anext(link.infill(REQUEST)), Draft)


async def test_an_engine_that_dies_of_a_request_surfaces_as_unavailable(world: World) -> None:
    link = world.link()
    await eventually(lambda: link.ready, within=20)

    with pytest.raises(EngineUnavailable):
        await filled(link, InfillRequest(prefix="", language="die"))

    await eventually(lambda: world.starts == 2 and link.ready, within=20)
    assert isinstance((await filled(link))[-1], Final)


async def test_an_engine_that_keeps_dying_is_left_alone(world: World) -> None:
    policy = RestartPolicy(first_delay=0.01, failures=3, pause=2.0)
    link = world.link("--die-at-start", policy=policy)

    await eventually(lambda: state(link) == "failed", within=30)

    assert world.starts == 3
    assert link.health
    assert "midfill doctor" in link.health.detail
    with pytest.raises(EngineUnavailable):
        await filled(link)
    link.ask_to_load()
    await asyncio.sleep(0.3)
    assert world.starts == 3

    await asyncio.sleep(2.0)
    link.ask_to_load()
    await eventually(lambda: world.starts == 4, within=10)
    await eventually(lambda: state(link) == "failed", within=20)
    assert world.starts == 4


async def test_an_engine_of_another_version_is_drained_and_replaced(world: World) -> None:
    old = subprocess.Popen(command(("--version", "0.0.9", "--step-seconds", "0.1"), "m"))
    give_up_at = time.monotonic() + 20
    while not (found := await world.running()):
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.05)
    assert found.version == "0.0.9"
    client = EngineClient(engine_address("m"))
    running = asyncio.create_task(anext_final(client))
    await asyncio.sleep(0.1)

    link = world.link()

    await eventually(lambda: link.ready, within=20)
    assert isinstance(await running, Final)
    assert old.wait(5) == 0
    assert link.health
    assert link.health.version == version()
    assert world.starts == 1
    assert "replacing the engine of version 0.0.9" in [health.detail for health in world.told]


async def anext_final(client: EngineClient) -> Draft | Final:
    return [result async for result in client.infill(REQUEST)][-1]


async def test_a_link_whose_installation_was_updated_asks_for_a_restart(world: World) -> None:
    link = world.link("--version", "99.0")

    await eventually(lambda: state(link) == "failed", within=20)

    assert link.health
    assert "updated to 99.0: restart the language server" in link.health.detail
    await asyncio.sleep(0.3)
    assert world.starts == 1


async def test_an_outdated_link_does_not_end_the_engine_of_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = world.link()
    await eventually(lambda: current.ready, within=20)
    monkeypatch.setattr("midfill.inference.version.version", lambda: "0.0.1")

    outdated = world.link()

    await eventually(lambda: state(outdated) == "failed", within=20)
    assert outdated.health
    assert "restart the language server" in outdated.health.detail
    assert current.ready
    assert isinstance((await filled(current))[-1], Final)


async def test_asking_to_load_wakes_an_idle_engine(world: World) -> None:
    link = world.link("--idle-after", "0.5")
    await eventually(lambda: state(link) == "idle", within=20)
    told = len(world.told)

    link.ask_to_load()

    await eventually(lambda: "ready" in [health.state.value for health in world.told[told:]])
    assert world.starts == 1


async def test_a_link_that_is_closed_while_it_starts_says_nothing_more(world: World) -> None:
    link = world.link()
    await eventually(lambda: world.starts == 1)

    await link.close()

    told = len(world.told)
    await asyncio.sleep(1.0)
    assert len(world.told) == told


def test_a_link_is_light_to_import() -> None:
    heavy = ("httpx", "pydantic", "starlette", "uvicorn", "torch", "platformdirs", "filelock")
    program = (
        "import sys, midfill.lsp.engine_link;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "[]"


def test_the_client_side_never_imports_torch() -> None:
    program = (
        "import sys, midfill.lsp.engine_process, midfill.lsp.running_engine, "
        "midfill.lsp.engine_link; print('torch' in sys.modules, 'uvicorn' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "False False"


def failing(words: str, _: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.exit({words!r})"]


async def test_an_engine_that_does_not_start_says_why(here: Path) -> None:
    with pytest.raises(EngineUnavailable, match="midfill: there is no such model"):
        await start_engine(
            "m", engine_address("m"), command=partial(failing, "midfill: there is no such model")
        )


async def test_a_program_that_is_not_there_is_said_to_be_so(here: Path) -> None:
    with pytest.raises(EngineUnavailable, match="No such file"):
        await start_engine("m", engine_address("m"), command=lambda _: [str(here / "nothing")])


async def test_an_engine_that_never_answers_is_given_up(here: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(3)"]

    with pytest.raises(EngineUnavailable, match="did not answer within"):
        await start_engine("m", engine_address("m"), command=lambda _: sleeper, time_limit=0.5)


async def test_an_address_that_is_about_to_be_left_is_waited_for(world: World) -> None:
    lock = lock_file(engine_address("m"))
    assert lock is not None
    held = FileLock(lock, thread_local=False)
    held.acquire()
    threading.Timer(1.5, held.release).start()

    await start_engine("m", engine_address("m"), command=partial(command, ()), time_limit=20)

    assert await world.running()


def test_an_engine_is_started_without_the_current_folders_modules() -> None:
    assert engine_command("embedded")[1:] == [
        *("-P", "-m", "midfill.lsp", "serve", "--on-demand", "--model", "embedded")
    ]
