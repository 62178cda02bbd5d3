"""How long a suggestion takes, from the keystroke to the items, through the real processes.

Drives `midfill lsp` over stdio as an editor would: it types lines of real files key by key and
asks after every key. Reports the language server's start, cold and warm latencies, and the memory
of both processes. Nothing else should run meanwhile::

    make bench
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch
from lsprotocol import types
from pygls.lsp.client import LanguageClient

if TYPE_CHECKING:
    from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / "examples" / name for name in ("inventory.py", "intervals.py", "cart.js")]
LANGUAGES = {".py": "python", ".js": "javascript"}
KEYS_A_LINE = 6
COLD_LINE = "            merged.append((start, end))\n"
"""Where a file that was never seen is asked about; about 500 tokens stand before it."""


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


def summary(milliseconds: list[float]) -> dict[str, float]:
    if not milliseconds:
        return {"n": 0}
    return {
        "p50": percentile(milliseconds, 0.5),
        "p95": percentile(milliseconds, 0.95),
        "n": len(milliseconds),
    }


class Editor:
    """One editor window with its own language server."""

    def __init__(self) -> None:
        self._client = LanguageClient("benchmark", "1")
        self._versions: dict[str, int] = {}
        self.ready = asyncio.Event()
        self.engine_asked = False
        """Whether the engine worked on a suggestion since this was last set to False."""

        @self._client.feature("midfill/status")
        def on_status(status: SimpleNamespace) -> None:
            if status.state == "ready":
                self.ready.set()
            if status.activity == "thinking":
                self.engine_asked = True

    async def start(self) -> float:
        """Start the language server; milliseconds until it has answered `initialize`."""
        started = time.perf_counter()
        await self._client.start_io(sys.executable, "-m", "midfill.lsp", "lsp")
        await self._client.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(
                    general=types.GeneralClientCapabilities(
                        position_encodings=[types.PositionEncodingKind.Utf32]
                    )
                ),
                initialization_options={"minimumConfidence": 0},
            )
        )
        taken = 1e3 * (time.perf_counter() - started)
        self._client.initialized(types.InitializedParams())
        return taken

    @property
    def pid(self) -> int:
        server = self._client._server
        assert server is not None
        return server.pid

    def open(self, uri: str, language: str, text: str) -> None:
        self._versions[uri] = 1
        self._client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, 1, text))
        )

    def replace(self, uri: str, place: types.Range, text: str) -> None:
        """Edit a document."""
        self._versions[uri] += 1
        self._client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self._versions[uri], uri),
                [types.TextDocumentContentChangePartial(place, text)],
            )
        )

    async def type_and_ask(
        self, uri: str, position: types.Position, key: str
    ) -> tuple[float, str | None]:
        """Milliseconds from the keystroke to the items, and the first item's text."""
        started = time.perf_counter()
        self.replace(uri, types.Range(position, position), key)
        answer = await self._client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                context=types.InlineCompletionContext(
                    trigger_kind=types.InlineCompletionTriggerKind.Automatic
                ),
                text_document=types.TextDocumentIdentifier(uri),
                position=types.Position(position.line, position.character + len(key)),
            )
        )
        taken = 1e3 * (time.perf_counter() - started)
        items = getattr(answer, "items", answer) or []
        text = items[0].insert_text if items else None
        return taken, text if text is None or isinstance(text, str) else text.value

    async def stop(self) -> None:
        await self._client.shutdown_async(None)
        self._client.exit(None)


@dataclass
class Warm:
    """Milliseconds from keystrokes to items in files that the engine has read.

    Attributes:
        first: the first key of a line, which moves the suffix window.
        engine: later keys for which the engine was asked, the wait before that included.
        memory: later keys that were answered without it.
    """

    first: list[float] = field(default_factory=list)
    engine: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


async def measure_warm(editor: Editor) -> Warm:
    """Type the beginnings of all lines of the example files, one after the other."""
    warm = Warm()
    for path in FILES:
        lines = path.read_text().splitlines(keepends=True)
        for number in range(5, len(lines), 4):
            line = lines[number]
            visible = len(line) - len(line.lstrip())
            if len(line.strip()) < KEYS_A_LINE + 2:
                continue
            uri = f"untitled:{path.name}-{number}"
            text = "".join(lines[:number]) + line[:visible] + "\n" + "".join(lines[number + 1 :])
            editor.open(uri, LANGUAGES[path.suffix], text)
            for column in range(visible, visible + KEYS_A_LINE):
                editor.engine_asked = False
                milliseconds, suggestion = await editor.type_and_ask(
                    uri, types.Position(number, column), line[column]
                )
                if not suggestion:
                    continue
                if column == visible:
                    warm.first.append(milliseconds)
                elif editor.engine_asked:
                    warm.engine.append(milliseconds)
                else:
                    warm.memory.append(milliseconds)
    return warm


async def measure_cold(editor: Editor, count: int = 5) -> list[float]:
    """Ask in files of about 500 tokens that the engine has never seen."""
    taken = []
    above, _, below = "".join(path.read_text() for path in FILES[:2]).partition(COLD_LINE)
    indent = len(COLD_LINE) - len(COLD_LINE.lstrip())
    for number in range(count):
        uri = f"untitled:cold-{number}.py"
        unseen = f"# copy {number}\n{above}"
        editor.open(uri, "python", unseen + " " * indent + "\n" + below)
        position = types.Position(unseen.count("\n"), indent)
        milliseconds, suggestion = await editor.type_and_ask(uri, position, COLD_LINE.lstrip()[0])
        if suggestion:
            taken.append(milliseconds)
    return taken


def measure_model() -> tuple[float, float]:
    """Milliseconds of the bare model: to encode 500 tokens, and for one 16-slot step behind them.

    What everything above is made of, measured in the same run since machines differ and vary.
    """
    from midfill.inference.canvas import verifying_canvas
    from midfill.inference.models.loading import load_embedded
    from midfill.inference.progress import nobody_listens

    model = load_embedded(torch.device("cpu"), nobody_listens).model
    tokens = list(range(1000, 1500))
    encoding, stepping = [], []
    for _ in range(3):
        cache = model.new_cache(1024)
        started = time.perf_counter()
        model.encode(tokens[:250], cache)
        model.encode(tokens[250:], cache)
        encoding.append(1e3 * (time.perf_counter() - started))
    for _ in range(15):
        started = time.perf_counter()
        model.denoise(verifying_canvas(1, [2, 3, 4], 3), cache).unmasked()
        stepping.append(1e3 * (time.perf_counter() - started))
    return statistics.median(encoding), statistics.median(stepping)


def engine_process(of: psutil.Process) -> psutil.Process:
    """The engine that the language server has started."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        command = process.info["cmdline"] or []
        runtime = (process.info["environ"] or {}).get("MIDFILL_RUNTIME_DIR")
        if "serve" in command and runtime == os.environ["MIDFILL_RUNTIME_DIR"]:
            return process
    raise SystemExit("the engine's process was not found")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MIDFILL_RUNTIME_DIR"] = folder
        starts = []
        for _ in range(5):
            starting = Editor()
            starts.append(await starting.start())
            await starting.stop()
        editor = Editor()
        began = time.perf_counter()
        await editor.start()
        await asyncio.wait_for(editor.ready.wait(), 120)
        ready = time.perf_counter() - began
        warm = await measure_warm(editor)
        cold = await measure_cold(editor)
        server = psutil.Process(editor.pid)
        engine = engine_process(server)
        figures = {
            "machine": f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores",
            "initialize_ms": {"p50": statistics.median(starts), "max": max(starts)},
            "engine_ready_s": ready,
            "first_key_of_a_line_ms": summary(warm.first),
            "warm_key_engine_asked_ms": summary(warm.engine),
            "warm_key_from_memory_ms": summary(warm.memory),
            "cold_500_tokens_ms": {"p50": percentile(cold, 0.5), "max": max(cold), "n": len(cold)},
            "language_server_rss_mb": server.memory_info().rss / 1e6,
            "engine_rss_mb": engine.memory_info().rss / 1e6,
        }
        await editor.stop()
        engine.terminate()
        engine.wait(30)
    encode, step = measure_model()
    figures["bare_model_ms"] = {"encode_500_tokens": encode, "step_of_16_slots": step}
    figures["ratios"] = {
        "warm_engine_to_step": percentile(warm.engine, 0.5) / step if warm.engine else None,
        "cold_to_encode": percentile(cold, 0.5) / encode,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
