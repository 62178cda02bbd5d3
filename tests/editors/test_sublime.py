"""Sublime Text's LSP package on a stand-in for Sublime Text, with the lines of our page.

The package's own code does it all: it reads the lines, starts the server, keeps it told of what is
typed, asks, shows an entry, takes it, and ends the server. Only Sublime Text itself is played, by
`sublime_text/`. ``MIDFILL_TEST_SUBLIME_LSP`` names a checkout of the package.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from astral_rectangle import ASTRAL, FILLED_ASTRAL
from checkouts import checkout
from rectangle import FILLED, LINE, RECTANGLE, TYPED

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = Path(__file__).parent / "sublime_text" / "host.py"
LINES = Path(__file__).parents[2] / "editors" / "sublime" / "LanguageServers.sublime-settings"
PROGRAMS = Path(sys.executable).parent

SECONDS = 300

MESSAGE = re.compile(r"\[.*?\] +(?P<direction>\S+) +midfill (?P<method>[\w/]*)")


@dataclass(frozen=True)
class Session:
    """What came of a session.

    Attributes:
        told: what the host says; see there.
    """

    told: dict[str, Any]

    def methods(self, direction: str) -> list[str]:
        """What went one way, by the arrows of the package's log; an answer is an empty name."""
        found = (MESSAGE.match(line) for _, line in self.told["log"])
        return [each["method"] for each in found if each and each["direction"] == direction]


@pytest.fixture
def session(warm_engine: None, tmp_path: Path) -> Callable[..., Session]:
    """What runs the package with the user's settings, files by name, and a text."""

    def run(package: Path, settings: dict[str, str], text: str) -> Session:
        for folder in ("settings", "project"):
            (tmp_path / folder).mkdir()
        for name, lines in settings.items():
            (tmp_path / "settings" / name).write_text(lines)
        file = tmp_path / "project" / "rectangle.py"
        file.write_text(text)
        asked = {
            "checkout": str(package),
            "settings": str(tmp_path / "settings"),
            "packages": str(tmp_path / "packages"),
            "file": str(file),
            "line": LINE,
            "typed": TYPED,
        }
        done = subprocess.run(
            [sys.executable, HOST, json.dumps(asked)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"},
        )
        assert done.returncode == 0, done.stderr
        return Session(json.loads(done.stdout))

    return run


@pytest.fixture
def package() -> Path:
    return checkout("MIDFILL_TEST_SUBLIME_LSP")


def older_lines() -> str:
    """Our lines where the package before 2.10 has them, by the name it had before 2.9."""
    return json.dumps({"clients": json.loads(LINES.read_text())}).replace(
        "initialization_options", "initializationOptions"
    )


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (LINES.name, LINES.read_text()),
        ("LSP.sublime-settings", older_lines()),
    ],
    ids=["ours", "older"],
)
def test_the_entry_in_the_list_is_taken(
    package: Path, session: Callable[..., Session], name: str, lines: str
) -> None:
    came = session(package, {name: lines}, RECTANGLE)
    assert came.told["command"] == ["midfill", "lsp"]
    assert came.told["options"] == {"completion": True}
    assert came.told["status"] == "LSP: midfill"
    [entry] = came.told["entries"]
    assert entry["annotation"] == "Midfill"
    assert entry["trigger"].startswith(came.told["prefix"])
    assert came.told["text"] == FILLED


def test_positions_are_counted_as_the_server_counts_them(
    package: Path, session: Callable[..., Session]
) -> None:
    came = session(package, {LINES.name: LINES.read_text()}, ASTRAL)
    assert came.told["text"] == FILLED_ASTRAL


def test_neither_side_complains(package: Path, session: Callable[..., Session]) -> None:
    came = session(package, {LINES.name: LINES.read_text()}, RECTANGLE)
    assert came.told["console"] == ""
    assert {speaker for speaker, _ in came.told["log"]} == {":"}  # the server wrote no error
    assert came.methods("<~~") == came.methods("~~>") == []
    assert {*came.methods("<?")} <= {"midfill/status"}  # it has no use for our status
    assert came.methods("->")[:2] == ["initialized", "textDocument/didOpen"]
    assert "textDocument/didChange" in came.methods("->")
    asked = came.methods("-->")
    assert asked[0] == "initialize"
    assert {*asked[1:-1]} == {"textDocument/completion", "workspace/executeCommand"}
    assert asked[-1] == "shutdown"
    assert came.told["exit"] == 0  # as after no other last message than ``exit``
