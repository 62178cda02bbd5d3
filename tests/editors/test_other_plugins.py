"""Other people's plugins and clients, with the engine as their server.

The plugins run in a real Neovim. They are in no package index, so they run where a folder of theirs
is given: ``MIDFILL_TEST_LLAMA_VIM`` and ``MIDFILL_TEST_MINUET``, a checkout each.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from checkouts import checkout
from installed import installed_by
from neovim import Neovim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from served_engine import Served

CONTINUE_CLIENT = Path(__file__).with_name("continue_client.mjs")
CONTINUE_MODULE = "node_modules/@continuedev/openai-adapters/dist/index.js"

BEFORE = "def add(a, b):\n    return"
BEHIND = "\n\n\nprint(add(1, 2))\n"

SHOWN = """
local shown = {}
local namespace = vim.api.nvim_get_namespaces()[...]
if namespace then
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
    for _, piece in ipairs(mark[4].virt_text or {}) do
      table.insert(shown, piece[1])
    end
  end
end
return table.concat(shown)
"""

LLAMA_VIM = """
local folder, url, token = ...
vim.g.llama_config = {
  endpoint_fim = url .. '/infill', api_key = token, show_info = 0, t_max_predict_ms = 20000,
  t_max_prompt_ms = 20000,
}
vim.opt.runtimepath:prepend(folder)
vim.cmd.runtime('plugin/llama.vim')
"""

MINUET = """
local folder, url, token = ...
vim.env.MIDFILL_TOKEN_FOR_TESTS = token
vim.opt.runtimepath:prepend(folder)
_G.finished = 0
vim.api.nvim_create_autocmd('User', {
  pattern = 'MinuetRequestFinished',
  callback = function() _G.finished = _G.finished + 1 end,
})
require('minuet').setup({
  provider = 'openai_fim_compatible',
  n_completions = 3,
  request_timeout = 30,
  throttle = 0,
  debounce = 0,
  virtualtext = {},
  provider_options = {
    openai_fim_compatible = {
      name = 'Midfill',
      model = 'midfill',
      end_point = url .. '/v1/completions',
      api_key = 'MIDFILL_TOKEN_FOR_TESTS',
      optional = { max_tokens = 32, stop = { '\\n' } },
    },
  },
})
"""


def plugin(variable: str) -> Path:
    """A plugin's folder; skips the test without it."""
    folder = checkout(variable)
    if not shutil.which("curl"):
        pytest.skip("it needs curl")
    return folder


@pytest.fixture
def bare_neovim(neovim_program: Path, tmp_path: Path) -> Iterator[Neovim]:
    neovim = Neovim(neovim_program, tmp_path / "home")
    neovim.begin_anew(tmp_path)
    yield neovim
    neovim.close()


def _open(neovim: Neovim, folder: Path) -> None:
    """A file with the cursor behind what is typed next, in Insert mode."""
    path = folder / "sums.py"
    path.write_text(BEFORE + BEHIND)
    neovim.open(path)
    neovim.command("call cursor(2, 1)")
    neovim.type("A")


def test_llama_vim_shows_and_takes_a_suggestion(
    bare_neovim: Neovim, served: Callable[[], Served], tmp_path: Path
) -> None:
    folder = plugin("MIDFILL_TEST_LLAMA_VIM")
    engine = served()
    bare_neovim.lua(LLAMA_VIM, str(folder), engine.url, engine.token)
    _open(bare_neovim, tmp_path)
    bare_neovim.type_text(" ")

    bare_neovim.wait(lambda: "a + b" in bare_neovim.lua(SHOWN, "vt_fim"), "grey text")
    bare_neovim.type("<Tab>")
    bare_neovim.wait(lambda: bare_neovim.lines[1] == "    return a + b", "the line")


def test_minuet_shows_several_suggestions_and_takes_one(
    bare_neovim: Neovim, served: Callable[[], Served], tmp_path: Path
) -> None:
    folder = plugin("MIDFILL_TEST_MINUET")
    engine = served()
    bare_neovim.lua(MINUET, str(folder), engine.url, engine.token)
    _open(bare_neovim, tmp_path)
    bare_neovim.type_text(" ")
    bare_neovim.lua("require('minuet.virtualtext').action.next()")

    bare_neovim.wait(lambda: bare_neovim.lua("return _G.finished") == 3, "three answers")
    bare_neovim.wait(lambda: bare_neovim.lua(SHOWN, "minuet.virtualtext"), "grey text")
    assert bare_neovim.said == []
    bare_neovim.lua("require('minuet.virtualtext').action.accept()")
    bare_neovim.wait(lambda: bare_neovim.lines[1] == "    return a + b", "the line")


def test_continues_own_client_reads_every_answer(served: Callable[[], Served]) -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("it needs Node.js")
    module = installed_by("get-continue-client", "continue-client", CONTINUE_MODULE)
    engine = served()
    asked = [node, str(CONTINUE_CLIENT), str(module), f"{engine.url}/v1/", engine.token]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "fim": "a + b",
        "stream": "a + b",
        "whole": "a + b",
        "models": ["embedded"],
    }
