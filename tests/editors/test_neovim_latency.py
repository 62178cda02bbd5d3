"""How long real Neovims take: from a key to grey text, and from the start to the first of it."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from neovim import Neovim

# fmt: off
NAMES = [
    "length", "width", "height", "depth", "radius", "weight", "speed", "distance",
    "duration", "price", "total", "average", "maximum", "minimum", "balance", "interest",
]
# fmt: on

LINES = 20_000


def version(request: pytest.FixtureRequest) -> str:
    return f"Neovim {request.node.callspec.params['neovim_program']}"


def test_grey_text_comes_soon_after_a_key(
    neovim: Neovim,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    measured: Callable[[str, float], None],
) -> None:
    neovim.show(tmp_path / "doubles.py", "def double(number: int) -> int:\n    return number * 2\n")
    neovim.type("Go")
    for name in NAMES:
        neovim.type(f"<CR>def double_{name}({name}: int) -> int:<CR>    return")
        neovim.wait(lambda: neovim.line == "    return")
        time.sleep(0.15)  # somebody who thinks before the next key
        began = time.perf_counter()
        neovim.type(" ")
        neovim.suggestion()
        measured(f"{version(request)}, key to grey text", 1e3 * (time.perf_counter() - began))
        neovim.type("<Tab>")
        neovim.wait(lambda: neovim.line != "    return ", "the accepted text")
        neovim.type("<CR>")


def test_a_large_file_stays_smooth(
    neovim: Neovim,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    measured: Callable[[str, float], None],
) -> None:
    functions = (
        f"def add_{n}(number: int) -> int:\n    return number + {n}\n" for n in range(LINES)
    )
    text = "\n".join(functions).splitlines()[:LINES]
    neovim.show(tmp_path / "large.py", "\n".join(text) + "\n")
    assert len(neovim.lines) == LINES
    neovim.type(f"{LINES // 2}Go<C-u>def double(number: int) -> int:<CR>")
    neovim.wait(lambda: neovim.line == "")
    taken = []
    for typed, key in enumerate("    return number ", 1):
        began = time.perf_counter()
        neovim.type("<Space>" if key == " " else key)
        neovim.wait(lambda typed=typed: len(neovim.line) == typed)
        taken.append(1e3 * (time.perf_counter() - began))
        measured(f"{version(request)}, a key in {LINES} lines", taken[-1])
        time.sleep(0.03)
    neovim.suggestion()
    assert median(taken) < 100


def test_the_first_suggestion_comes_soon_after_the_start(
    neovim: Neovim,
    new_neovim: Callable[[], Neovim],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    measured: Callable[[str, float], None],
) -> None:
    path = tmp_path / "double.py"
    path.write_text("def double(number: int) -> int:\n")
    neovim.open(path)
    neovim.ready()  # it holds the engine
    second = new_neovim()
    began = time.perf_counter()
    second.set_up()
    second.open(path)
    second.type("Go    return ")
    second.wait(lambda: second.line == "    return ")
    while second.ghost is None:
        assert time.perf_counter() - began < 60
        if second.statusline == "midfill: ready":
            second.type("<C-u>    return ")  # whoever typed too early types again
            second.wait(lambda: second.line == "    return ")
            second.suggestion()
        time.sleep(0.005)
    taken = 1e3 * (time.perf_counter() - began)
    measured(f"{version(request)}, server start to first suggestion", taken)
