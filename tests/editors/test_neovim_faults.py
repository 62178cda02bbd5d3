"""What real Neovims do when the server or the engine is missing, broken, or goes away."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from neovim import SERVER, fake_program

if TYPE_CHECKING:
    from collections.abc import Callable

    import psutil
    from neovim import Neovim

BODY = 'def double(number: int) -> int:\n    """Twice the number."""\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "double.py"
    path.write_text(BODY)
    return path


def starts(path: Path) -> int:
    """How often a program that notes its starts has been started."""
    return len(path.read_text().splitlines()) if path.exists() else 0


def servers(neovim: Neovim) -> list[psutil.Process]:
    """The language servers that a Neovim has started."""
    children = neovim.process.children(recursive=True)
    return [child for child in children if child.cmdline()[-1:] == ["lsp"]]


def test_a_missing_server_is_said_once_with_what_to_do(
    any_neovim: Callable[..., Neovim], file: Path
) -> None:
    neovim = any_neovim()
    neovim.set_up(cmd=["/nowhere/midfill", "lsp"])
    neovim.open(file)
    neovim.wait(lambda: neovim.said, "a message")
    neovim.command(f"edit {file.with_name('other.py')}")
    neovim.type("i<Tab>x<Esc>")
    neovim.wait(lambda: neovim.line.endswith("x"))
    [said] = neovim.said
    assert "/nowhere/midfill" in said
    assert "pipx install midfill" in said
    assert ":Midfill restart" in said
    assert neovim.statusline == "midfill: failed"


def test_a_server_found_later_is_started_by_restart(
    any_neovim: Callable[..., Neovim], file: Path, tmp_path: Path
) -> None:
    later = tmp_path / "midfill"
    neovim = any_neovim()
    neovim.set_up(cmd=[str(later), "lsp"])
    neovim.open(file)
    neovim.wait(lambda: neovim.said, "a message")
    later.symlink_to(SERVER[0])
    neovim.command("Midfill restart")
    neovim.wait(lambda: servers(neovim), "a server")


def test_a_server_that_crashes_at_start_is_given_up_and_said_so(
    new_neovim: Callable[[], Neovim], file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "starts"
    broken = "echo \"ModuleNotFoundError: No module named 'pygls'\" >&2; exit 1"
    command = fake_program(tmp_path / "midfill", f'[ "$1" = lsp ] && echo >> {log}; {broken}')
    neovim = new_neovim()
    neovim.set_up(cmd=command, crashes={"most": 3, "within": 60})
    neovim.open(file)
    neovim.wait(lambda: neovim.said, "a message")
    assert starts(log) == 3
    [said] = neovim.said
    assert "ended 3 times within 60 s" in said
    assert "No module named 'pygls'" in said
    assert ":Midfill restart" in said
    neovim.command(f"edit {file.with_name('other.py')}")
    time.sleep(0.5)  # nothing is to happen
    assert starts(log) == 3
    neovim.command("Midfill restart")
    neovim.wait(lambda: starts(log) == 6, "three more tries")


def test_a_server_that_is_killed_is_started_again(
    new_neovim: Callable[[], Neovim], file: Path
) -> None:
    neovim = new_neovim()
    neovim.set_up()
    neovim.open(file)
    neovim.ready()
    [server] = servers(neovim)
    neovim.type("Go    return ")
    neovim.suggestion()
    server.kill()
    neovim.wait(lambda: any("started again" in text for text in neovim.said), "a message")
    neovim.ready()
    neovim.type("<C-u>    return ")
    neovim.suggestion()
    [again] = servers(neovim)
    assert again.pid != server.pid
    assert len(neovim.said) == 1


def test_an_engine_that_is_killed_comes_back(
    any_neovim: Callable[..., Neovim], file: Path, end_engine: Callable[[], None]
) -> None:
    neovim = any_neovim()
    neovim.set_up()
    neovim.open(file)
    neovim.ready()
    end_engine()
    neovim.wait(lambda: neovim.statusline != "midfill: ready", "word of it")
    neovim.type("Go    return 2 * num")
    neovim.wait(lambda: neovim.line.endswith("num"))
    neovim.wait(lambda: neovim.statusline == "midfill: ready", "the engine again", 120)
    neovim.type("b")
    neovim.type("<BS>")
    neovim.type("ber")
    neovim.wait(lambda: neovim.line.endswith("number"))
    neovim.type("<CR>")
    assert "Traceback" not in "".join(neovim.said)


def test_settings_count_as_soon_as_they_change(neovim: Neovim, file: Path) -> None:
    neovim.open(file)
    neovim.ready()
    neovim.type("Go    return ")
    neovim.suggestion()
    try:
        neovim.configure(languages={"python": {"enabled": False}})
        neovim.kept_quiet("    return ", "switched off here")
        neovim.configure(mode="loud")
        neovim.wait(lambda: any("mode" in text and "eager" in text for text in neovim.said))
    finally:
        neovim.configure()
    neovim.type("<C-u>    return ")
    neovim.suggestion()


def test_two_neovims_on_one_folder_share_an_engine(
    any_neovim: Callable[..., Neovim], file: Path
) -> None:
    neovim, second = any_neovim(), any_neovim()
    for each in (neovim, second):
        each.set_up()
        each.open(file)
    for each in (neovim, second):
        each.ready()
        each.type("Go    return ")
    for each in (neovim, second):
        each.suggestion()
        each.type("<Esc>")
    assert servers(neovim)[0].pid != servers(second)[0].pid


def test_leaving_neovim_leaves_no_server_behind(
    new_neovim: Callable[[], Neovim], file: Path
) -> None:
    neovim = new_neovim()
    neovim.set_up()
    neovim.open(file)
    [server] = neovim.wait(lambda: servers(neovim), "a server")
    neovim.close()
    server.wait(30)
    assert not server.is_running()


def test_switching_off_ends_the_server_and_on_starts_it(
    new_neovim: Callable[[], Neovim], file: Path
) -> None:
    neovim = new_neovim()
    neovim.set_up(enabled=False)
    neovim.open(file)
    assert neovim.statusline == "midfill: off"
    assert servers(neovim) == []
    neovim.command("Midfill enable")
    neovim.wait(lambda: servers(neovim), "a server")
    neovim.command("Midfill toggle")
    neovim.wait(lambda: servers(neovim) == [], "no server")
    assert neovim.statusline == "midfill: off"
    assert neovim.said == []


def test_a_user_s_own_configuration_of_the_client_counts(
    new_neovim: Callable[[], Neovim], file: Path
) -> None:
    neovim = new_neovim()
    if not neovim.lua("return vim.lsp.config ~= nil"):
        pytest.skip("this Neovim has no vim.lsp.config")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    neovim.lua("vim.env.PATH = ...", path)
    neovim.lua("vim.lsp.config('midfill', { settings = { midfill = { mode = 'manual' } } })")
    neovim.lua("require('midfill').setup({ ghost_text = 'own' })")
    neovim.open(file)
    neovim.ready()
    neovim.type("Go    return ")
    neovim.kept_quiet("    return ", "only when it is asked by hand")
    neovim.type("<M-Bslash>")
    neovim.suggestion("<M-Bslash>")
    namespace = "vim.api.nvim_get_namespaces()['midfill.ghost']"
    assert neovim.lua(f"return vim.api.nvim_buf_get_extmarks(0, {namespace}, 0, -1, {{}})")
