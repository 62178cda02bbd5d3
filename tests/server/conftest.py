"""An engine of the tests' own, and an editor window in front of it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from editor import Editor, end

from midfill.lsp.running_engine import running_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from midfill.inference.models.embedded.files import EmbeddedFiles


@pytest.fixture(scope="module")
def own_engine(embedded_files: EmbeddedFiles) -> Iterator[Path]:
    """A folder that gives the servers of these tests an engine and logs of their own."""
    folder = Path(tempfile.mkdtemp(prefix="midfill-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIDFILL_RUNTIME_DIR", str(folder / "run"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield folder
        if health := running_engine("embedded"):
            end(health)
    shutil.rmtree(folder)


@pytest.fixture
async def new_editor(own_engine: Path) -> AsyncIterator[Editor]:
    """An editor that the test opens itself."""
    editor = Editor()
    yield editor
    assert await editor.close_window() == 0


@pytest.fixture
async def editor(own_engine: Path) -> AsyncIterator[Editor]:
    """An editor window whose engine is ready."""
    editor = Editor()
    await editor.open_window()
    await editor.ready()
    yield editor
    assert await editor.close_window() == 0
