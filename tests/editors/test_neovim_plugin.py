"""What of the plugin can be looked up: commands, help, health; and how its Lua is written."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import from_debian, installed_by
from neovim import PLUGIN, SERVER

if TYPE_CHECKING:
    from neovim import Neovim

ONE_VERSION = pytest.mark.parametrize("neovim_program", ["0.12"], indirect=True)
"""For what both do by the same Lua, and what takes long because the command line does."""

LUA = sorted(PLUGIN.rglob("*.lua"))


@ONE_VERSION
def test_subcommands_are_completed(neovim: Neovim) -> None:
    def complete(line: str) -> list[str]:
        return neovim.lua("return vim.fn.getcompletion(..., 'cmdline')", line)

    everything = complete("Midfill ")
    assert {"enable", "fill", "holes", "explain", "model", "health", "restart"} <= set(everything)
    assert complete("Midfill sn") == ["snooze"]
    assert complete("Midfill accept ") == ["line", "word"]
    assert complete("Midfill snooze ") == ["5", "15", "30", "60"]
    assert "embedded" in complete("Midfill model ")
    neovim.command("Midfill nonsense")
    neovim.wait(lambda: any("no :Midfill nonsense" in text for text in neovim.said))


@ONE_VERSION
def test_pages_open_and_close(neovim: Neovim, tmp_path: Path) -> None:
    neovim.show(tmp_path / "double.py", "def double(number):\n")
    neovim.type("Go    return ")
    neovim.suggestion()
    neovim.type("<Esc>")
    for command, words in {
        "prompt": "double(number)",
        "stats": "suggest",
        "log": "",
        "log engine": "serving embedded",
    }.items():
        neovim.command(f"Midfill {command}")
        neovim.wait(
            lambda: neovim.lua("return vim.fn.winnr('$')") == 2, f"the page of {command}", 60
        )
        assert words in neovim.text
        neovim.command("close")
    neovim.command("Midfill status")
    neovim.wait(lambda: any("model embedded" in text for text in neovim.said))


def test_health_is_checked_without_an_error(neovim: Neovim, tmp_path: Path) -> None:
    neovim.show(tmp_path / "double.py", "def double(number):\n")
    neovim.command("checkhealth midfill")
    report = neovim.text
    assert "Failed to run healthcheck" not in report
    assert "ERROR" not in report
    for words in (SERVER[0], "OK midfill 0.", "python", "model: embedded", "engine: ready"):
        assert words in report, report
    neovim.command("bwipeout!")


def test_health_says_what_to_do_without_a_server(neovim: Neovim) -> None:
    neovim.lua("require('midfill.config').options.cmd = { '/nowhere/midfill', 'lsp' }")
    try:
        neovim.command("checkhealth midfill")
        assert "ERROR there is no program /nowhere/midfill" in neovim.text
        assert "pipx install midfill" in neovim.text
        neovim.command("bwipeout!")
    finally:
        neovim.lua("require('midfill.config').options.cmd = ...", SERVER)


def test_every_tag_of_the_help_resolves(neovim: Neovim, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(PLUGIN / "doc", copy / "doc")
    neovim.command(f"helptags {copy}/doc")
    neovim.command(f"set runtimepath^={copy}")
    text = (copy / "doc" / "midfill.txt").read_text()
    links = sorted(set(re.findall(r"\|([^|\s]+)\|", text)))
    assert len(links) > 10
    for tag in ("midfill", ":Midfill", *links):
        neovim.command(f"help {tag}")
        found = neovim.lua("return vim.fn.expand('<cWORD>')")
        assert tag.strip("*").casefold() in found.casefold() or found.startswith("*"), tag
        neovim.command("helpclose")
    neovim.command(f"set runtimepath-={copy}")


def test_the_help_names_every_option_command_and_mapping(neovim: Neovim) -> None:
    text = (PLUGIN / "doc" / "midfill.txt").read_text()
    for name in neovim.lua("return vim.tbl_keys(require('midfill.commands').subcommands)"):
        assert f"*:Midfill-{name}*" in text
    options = neovim.lua(
        "local o = vim.deepcopy(require('midfill.config').options) return vim.tbl_keys(o)"
    )
    for name in (*options, "filetypes"):
        assert f"*midfill-option-{name}*" in text
    for key in neovim.lua(
        "return vim.tbl_map(function(k) return k.plug end, require('midfill.keys').insert)"
    ).values():
        assert key in text


def test_wrong_options_are_named(neovim: Neovim) -> None:
    complaints = neovim.lua(
        "local c = require('midfill.config') local was = c.options "
        "local said = c.set({ debounce = 'soon', colour = 'red', ghost_text = 'blue' }) "
        "local now = c.options c.options = was return { said, now.debounce }"
    )
    assert complaints == [
        [
            "debounce has to be milliseconds, 0 or more",
            "ghost_text has to be 'auto', 'builtin' or 'own'",
            "there is no option colour",
        ],
        30,
    ]


def test_all_lua_can_be_loaded(neovim: Neovim) -> None:
    for path in LUA:
        why = neovim.lua("local f, why = loadfile(...) return f and '' or why", str(path))
        assert why == "", path
    modules = [path.stem for path in LUA if path.parent.name == "midfill"]
    for name in modules:
        neovim.lua("require(...)", "midfill" if name == "init" else f"midfill.{name}")


def test_lua_has_no_faults_that_luacheck_finds() -> None:
    luacheck = from_debian("luacheck", "lua-check")
    done = subprocess.run(
        [luacheck, "--no-color", "-q", "."], cwd=PLUGIN, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_lua_is_formatted_by_stylua() -> None:
    if not shutil.which("npm"):
        pytest.skip("there is no npm to install StyLua with")
    module = installed_by("get-stylua", "stylua", "node_modules/@johnnymorganz/stylua")
    done = subprocess.run(
        ["node", Path(__file__).with_name("stylua.mjs"), module, *LUA],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "", "would be formatted otherwise"
