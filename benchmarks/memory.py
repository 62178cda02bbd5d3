"""What both processes keep in memory, and how soon the engine is ready.

Starts `midfill lsp` over stdio with a throw-away runtime folder, so that it starts an engine of its
own, waits until that is ready, opens one real file and types along its lines until the engine has
answered so many requests. Proportional set sizes count what processes share by halves, thirds and
so on::

    python benchmarks/memory.py                          # a table
    python benchmarks/memory.py --json > figures.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from lsprotocol import types
from suggestion_latency import Editor, engine_process

TYPED_FILE = Path(textwrap.__file__)
"""A module of Python's own library, some 500 lines."""

KEYS_A_LINE = 8
LEAST_LINE = 16


def memory_of(process: psutil.Process) -> dict[str, Any]:
    """A process's memory in megabytes (10⁶ bytes), whole and by what it is used for."""
    info, parts = process.memory_full_info(), Counter[str]()
    for mapping in process.memory_maps(grouped=True):
        parts[_part(mapping.path)] += mapping.pss
    return {
        "pss": round(info.pss / 1e6, 1),
        "rss": round(info.rss / 1e6, 1),
        "parts": {name: round(size / 1e6, 1) for name, size in parts.most_common()},
    }


def _part(path: str) -> str:
    name = Path(path).name
    if name.startswith("weights-"):
        return "weights, mapped"
    if ".so" in name or name.startswith("python"):
        return "torch's libraries" if "/torch" in path else "other libraries"
    return "heap and buffers" if path in ("[heap]", "[anon]") else "other"


def places(lines: list[str]) -> list[tuple[int, int]]:
    """Line numbers and columns to type at, in the order they are typed in."""
    found = []
    for number in range(len(lines) // 3, len(lines)):
        code = lines[number].strip()
        if len(code) >= LEAST_LINE:
            start = lines[number].index(code)
            found += [(number, start + key) for key in range(KEYS_A_LINE)]
    return found


async def type_along(editor: Editor, requests: int) -> int:
    """Type until the engine has answered so many requests; returns how many it has."""
    lines = TYPED_FILE.read_text("utf-8").splitlines(keepends=True)
    uri, answered, open_line = f"untitled:{TYPED_FILE.name}", 0, -1
    editor.open(uri, "python", "".join(lines))
    for number, column in places(lines):
        if answered == requests:
            break
        if number != open_line:  # what stands there is cut off, to be typed again
            open_line = number
            end = types.Position(number, len(lines[number].rstrip("\n")))
            editor.replace(uri, types.Range(types.Position(number, column), end), "")
        editor.engine_asked = False
        await editor.type_and_ask(uri, types.Position(number, column), lines[number][column])
        answered += editor.engine_asked
    return answered


async def measure(requests: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MIDFILL_RUNTIME_DIR"] = folder
        editor = Editor()
        started = time.time()
        await editor.start()
        await editor.ready.wait()
        ready = time.time()
        server = psutil.Process(editor.pid)
        engine = engine_process(server)
        own_start = engine.create_time()
        fresh = memory_of(engine)
        answered = await type_along(editor, requests)
        figures = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
            f"{platform.python_version()}",
            "seconds_to_ready": {
                "from the engine's start": round(ready - own_start, 2),
                "from the language server's": round(ready - started, 2),
            },
            "requests": answered,
            "engine_before": fresh,
            "engine": memory_of(engine),
            "language_server": memory_of(server),
        }
        await editor.stop()
        engine.terminate()
        _, alive = await asyncio.to_thread(psutil.wait_procs, [engine], 60)
        for process in alive:
            process.kill()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="figures alone, for programs")
    chosen = parser.parse_args()
    figures = asyncio.run(measure(chosen.requests))
    if chosen.json:
        print(json.dumps(figures, indent=2))
        return
    for what, seconds in figures["seconds_to_ready"].items():
        print(f"ready, {what}: {seconds} s")
    for name in ("engine_before", "engine", "language_server"):
        process = figures[name]
        print(f"{name}: {process['pss']} MB proportional, {process['rss']} MB resident")
        for part, size in process["parts"].items():
            print(f"    {part}: {size}")


if __name__ == "__main__":
    main()
