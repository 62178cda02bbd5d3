"""What is killed, starved and flooded: a service of the tests' own, and an editor before it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "unit"), str(TESTS / "server")]  # their fakes, and their editor

from echo_service import EchoService, team  # noqa: E402


@pytest.fixture(scope="module")
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="mf-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def serve_team(tmp_path: Path) -> Iterator[Callable[..., EchoService]]:
    """Start a server for five members; it is ended afterwards, whatever is left of it."""
    with ExitStack() as started:
        yield lambda *options, **variables: started.enter_context(
            team(tmp_path, *options, **variables)
        )
