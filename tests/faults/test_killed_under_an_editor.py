"""The real language server, whose engine is killed while it answers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from echo_service import MIDFILL
from editor import EVERYTHING, Editor, end
from soaking import times

from midfill.lsp.running_engine import running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = times(2, 4)
"""Five within a minute, and it would rightly stop to start engines for a while."""

WORDS = "first + second"
TEXT = "def add_{0}(first, second):\n    return \n"


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for an engine whose fill takes a while, its socket and its logs."""
    folder = Path(tempfile.mkdtemp(prefix="mf-", dir="/tmp"))
    for name in ("MIDFILL_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    monkeypatch.setenv("ECHO_WORDS", WORDS)
    monkeypatch.setenv("ECHO_STEP_SECONDS", "0.01")
    yield folder
    if health := running_engine("embedded"):
        end(health)
    shutil.rmtree(folder)


async def test_each_kill_costs_at_most_the_suggestion_under_way(own_engine: Path) -> None:
    editor = Editor()
    await editor.open_window(command=(str(MIDFILL), "lsp"), options=EVERYTHING)
    missing = []
    try:
        await editor.ready()
        for number in range(KILLS):
            file = f"file:///kill{number}.py"
            editor.show(file, TEXT.format(number))
            engine = running_engine("embedded")
            assert engine is not None
            asked = editor.ask(file, 1, 11)
            await asyncio.sleep(0.1)  # it is to be killed in the middle of about 0.6 s
            end(engine)
            answer = await asyncio.wait_for(asked, 10)
            missing.append(not answer or not answer.items)
            await editor.status(lambda status: status.state != "ready")
            await editor.ready()

            again = await asyncio.wait_for(editor.ask(file, 1, 11), 10)
            assert again is not None
            assert [item.insert_text for item in again.items] == [WORDS]
        children = editor.process.children()
    finally:
        status = await editor.close_window()

    assert missing == [True] * KILLS
    assert not [child for child in children if child.status() == psutil.STATUS_ZOMBIE]
    assert status == 0
    assert editor.messages == []
    assert "Traceback" not in editor.log
    sockets = {path.name for path in (own_engine / "midfill_runtime_dir").iterdir()}
    assert sockets <= {"engine-embedded.sock", "engine-embedded.sock.lock"}
