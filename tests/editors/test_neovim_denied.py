"""What a real Neovim says where the machine withholds something: Python, the network, a disk."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from neovim import fake_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from neovim import Neovim

BODY = 'def double(number: int) -> int:\n    """Twice the number."""\n'

OLD_PYTHON = """\
Traceback (most recent call last):
  File "/opt/midfill/bin/midfill", line 5, in <module>
    from midfill.lsp.__main__ import main
  File "/opt/midfill/lib/python3.9/site-packages/midfill/lsp/cli.py", line 9, in <module>
    from enum import StrEnum
ImportError: cannot import name 'StrEnum' from 'enum' (/usr/lib/python3.9/enum.py)
"""

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    path = folder / "double.py"
    path.write_text(BODY)
    return path


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be made by whoever may not do everything."""
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


def behind(program: Path, folder: Path, *command: str) -> Path:
    """A Neovim that runs behind a command which takes something from it; skips where that fails."""
    tried = subprocess.run([*command, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"{command[0]} cannot be used here: {tried.stderr.strip()}")
    path = folder / "nvim"
    fake_program(path, f'exec {shlex.join([*command, str(program)])} "$@"')
    return path


def without_privileges(program: Path, folder: Path) -> Path:
    """A Neovim that modes of files hold for, also where root runs the tests."""
    if os.geteuid() != 0:
        return program
    return behind(program, folder, "setpriv", "--bounding-set", "-dac_override")


def engines_of(neovim: Neovim) -> list[psutil.Process]:
    """The engines that a Neovim's server has started."""
    children = neovim.process.children(recursive=True)
    return [child for child in children if "serve" in child.cmdline()]


def failure(neovim: Neovim) -> str:
    """What pops up once the engine has failed; whoever asks for the reason is told the same.

    An engine that was started for it is ended.
    """
    neovim.wait(lambda: neovim.statusline == "midfill: failed", "a failure")
    engines = engines_of(neovim)
    said = neovim.wait(lambda: neovim.said, "a message")
    assert len(said) == 1
    neovim.type("Go    return ")
    neovim.wait(lambda: neovim.line == "    return ")
    reason, _, _ = said[0].removeprefix("Midfill: ").partition("; `midfill doctor`")
    neovim.wait(lambda: reason.split(". ")[0] in neovim.explanation(), reason)
    assert neovim.ghost is None
    for engine in engines:
        with suppress(psutil.NoSuchProcess):
            engine.kill()
    return said[0]


def test_a_python_that_is_too_old_is_named_with_what_is_needed(
    any_neovim: Callable[..., Neovim], file: Path, tmp_path: Path
) -> None:
    complaint = tmp_path / "complaint"
    complaint.write_text(OLD_PYTHON)
    command = fake_program(tmp_path / "midfill", f"cat {complaint} >&2; exit 1")
    neovim = any_neovim()
    neovim.set_up(cmd=command, crashes={"most": 2, "within": 60})
    neovim.open(file)
    neovim.wait(lambda: neovim.said, "a message")
    [said] = neovim.said
    assert "runs on Python 3.9, and needs 3.11 or newer" in said
    neovim.command("checkhealth midfill")
    assert "ERROR it does not run" in neovim.text
    assert "runs on Python 3.9, and needs 3.11 or newer" in neovim.text
    assert "pipx reinstall --python" in neovim.text


def test_a_broken_module_of_a_python_that_is_new_enough_is_not_blamed_on_it(
    any_neovim: Callable[..., Neovim],
) -> None:
    neovim = any_neovim()
    ask = "return require('midfill.program').complaint({ stderr = ... })"
    for minor in (11, 12, 14):
        said = neovim.lua(ask, OLD_PYTHON.replace("3.9", f"3.{minor}"))
        assert said.startswith("ImportError")
        assert "needs" not in said
    assert "3.9, and needs" in neovim.lua(ask, OLD_PYTHON)


def test_a_first_start_without_a_network_says_what_is_missing_and_how_to_get_it(
    start_neovim: Callable[..., Neovim], any_neovim_program: Path, file: Path, tmp_path: Path
) -> None:
    offline = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]
    program = behind(any_neovim_program, tmp_path, *offline)
    cache = tmp_path / "cache"
    neovim = start_neovim(
        program, MIDFILL_RUNTIME_DIR=str(tmp_path / "run"), MIDFILL_CACHE_DIR=str(cache)
    )
    neovim.set_up()
    neovim.open(file)
    said = failure(neovim)
    assert "cannot be fetched" in said
    assert "check the network connection" in said
    assert "midfill model pull embedded" in said
    assert not list(cache.rglob("*.gguf"))


@pytest.fixture
def unprivileged(
    start_neovim: Callable[..., Neovim], any_neovim_program: Path, file: Path, tmp_path: Path
) -> Callable[..., Neovim]:
    """Opens the file in an editor that may write no more than its user; takes its environment."""

    def opened(**environment: str) -> Neovim:
        neovim = start_neovim(without_privileges(any_neovim_program, tmp_path), **environment)
        neovim.set_up()
        neovim.open(file)
        return neovim

    return opened


def test_a_folder_for_the_model_that_cannot_be_written_is_named(
    unprivileged: Callable[..., Neovim], kept: Path, tmp_path: Path
) -> None:
    neovim = unprivileged(
        MIDFILL_RUNTIME_DIR=str(tmp_path / "run"), MIDFILL_CACHE_DIR=str(kept / "cache")
    )
    said = failure(neovim)
    assert str(kept / "cache") in said
    assert "Permission denied" in said
    assert "set MIDFILL_CACHE_DIR to another folder" in said


def test_a_folder_for_the_socket_that_cannot_be_written_is_named(
    unprivileged: Callable[..., Neovim], kept: Path
) -> None:
    neovim = unprivileged(MIDFILL_RUNTIME_DIR=str(kept / "run"))
    said = failure(neovim)
    assert str(kept / "run") in said
    assert "set MIDFILL_RUNTIME_DIR to a folder of yours" in said


def test_a_folder_for_statistics_that_cannot_be_written_costs_nothing_else(
    unprivileged: Callable[..., Neovim], kept: Path
) -> None:
    neovim = unprivileged(MIDFILL_STATE_DIR=str(kept / "state"))
    neovim.ready()
    neovim.type("Go    return ")
    neovim.suggestion()
    line = neovim.line
    neovim.type("<Tab>")
    neovim.wait(lambda: neovim.line != line, "the accepted text")
    assert neovim.said == []
    assert list(kept.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="what is mounted here is Linux's affair")
def test_a_workspace_on_a_read_only_disk_is_served_like_any_other(
    start_neovim: Callable[..., Neovim], any_neovim_program: Path, file: Path, tmp_path: Path
) -> None:
    mounted = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    folder = file.parent
    program = behind(any_neovim_program, tmp_path, *mounted, "sh", "-c", READ_ONLY, str(folder))
    neovim = start_neovim(program)
    neovim.set_up()
    neovim.open(file)
    assert neovim.lua("return vim.uv.fs_mkdir(..., 493)", str(folder / "new")) is None
    neovim.ready()
    neovim.type("Go    return ")
    ghost = neovim.suggestion()
    neovim.type("<Tab>")
    neovim.wait(lambda: neovim.line == f"    return {ghost.text}", "the accepted text")
    neovim.type("<Esc>")
    assert neovim.said == []
    assert [path.name for path in folder.iterdir()] == ["double.py"]
    assert file.read_text() == BODY
