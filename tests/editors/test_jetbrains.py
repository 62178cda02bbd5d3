"""LSP4IJ's own reader on our template, and the server for a client that says what LSP4IJ says.

``MIDFILL_TEST_LSP4IJ`` names a checkout of LSP4IJ. Of it only the classes are compiled that read
templates and split command lines, against the stand-ins in `jetbrains/`; no IDE runs.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from astral_rectangle import ASTRAL, CURSOR, FILLED_ASTRAL
from checkouts import checkout
from installed import failure_of_debian, from_debian
from language_client import PROGRAM, LanguageClient
from rectangle import REST, TYPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READER = Path(__file__).parent / "jetbrains" / "ReadTemplate.java"
STAND_INS = READER.with_name("stand_ins.txt")
PAGE = Path(__file__).parents[2] / "editors" / "jetbrains"
TEMPLATE = PAGE / "template"
GSON = Path("/usr/share/java/gson.jar")

ANNOUNCED = Path(__file__).parent / "announced" / "lsp4ij.json"
"""The capabilities that LSP4IJ 0.20.1 announces, as far as a server like ours may look at them."""

AUTOMATIC = 2
"""The kind of all its requests, also of those made by hand."""

SECONDS = 300

LANGUAGES = {
    "*.py": "python",
    "*.js": "javascript",
    "*.ts": "typescript",
    "*.java": "java",
    "*.kt": "kotlin",
    "*.go": "go",
    "*.rs": "rust",
}
FILE_TYPES = {
    "JavaScript": "javascript",
    "TypeScript": "typescript",
    "JAVA": "java",
    "Kotlin": "kotlin",
    "Go": "go",
    "Rust": "rust",
}


def gson() -> Path:
    """The library with which LSP4IJ reads JSON; skips the test without it."""
    if not GSON.exists() and (why := failure_of_debian(("libgoogle-gson-java",))):
        pytest.skip(f"cannot be installed here: {why}")
    return GSON


def write_stand_ins(folder: Path) -> None:
    """Write the stand-ins as source files where `javac` looks for them."""
    for full_name, source in re.findall(
        r"^=== (\S+)\n(.*?)(?=^===|\Z)", STAND_INS.read_text(), re.M | re.S
    ):
        package, _, name = full_name.rpartition(".")
        file = folder.joinpath(*package.split("."), f"{name}.java")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"package {package};\n{source}")


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, list[str]]]:
    """What reads a template folder as LSP4IJ does, on a system by the name Java has for it."""
    sources = checkout("MIDFILL_TEST_LSP4IJ") / "src" / "main" / "java"
    javac = from_debian("javac", "default-jdk-headless")
    library = gson()
    stand_ins, classes = tmp_path_factory.mktemp("stand-ins"), tmp_path_factory.mktemp("classes")
    write_stand_ins(stand_ins)
    compile_ = [javac, "-nowarn", "-proc:none", "-d", classes, "-cp", library]
    # what both have is taken from the stand-ins, and of the rest only what is used is compiled
    done = subprocess.run(
        [*compile_, "-sourcepath", f"{stand_ins}:{sources}", READER],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    java = shutil.which("java")
    assert java

    def run(template: Path, system: str) -> dict[str, list[str]]:
        command = [java, f"-Dos.name={system}", "-cp", f"{classes}:{library}"]
        done = subprocess.run(
            [*command, "ReadTemplate", template], capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, done.stderr
        told: defaultdict[str, list[str]] = defaultdict(list)
        for line in done.stdout.splitlines():
            name, value = line.split("\t")
            told[name].append(value)
        return told

    return run


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("Linux", ["sh", "-c", "midfill lsp"]),
        ("Mac OS X", ["sh", "-c", "midfill lsp"]),
        ("Windows 11", ["midfill.exe", "lsp"]),
    ],
)
def test_the_template_starts_the_server(
    read: Callable[..., dict[str, list[str]]], system: str, command: list[str]
) -> None:
    told = read(TEMPLATE, system)
    assert (told["id"], told["name"]) == (["midfill"], ["Midfill"])
    assert told["command"] == command


def test_the_template_maps_files_to_languages(read: Callable[..., dict[str, list[str]]]) -> None:
    told = read(TEMPLATE, "Linux")
    assert dict(each.rsplit(" ", 1) for each in told["patterns"]) == LANGUAGES
    assert dict(each.rsplit(" ", 1) for each in told["fileType"]) == FILE_TYPES


def test_the_template_leaves_grey_text_on(read: Callable[..., dict[str, list[str]]]) -> None:
    told = read(TEMPLATE, "Linux")
    assert [json.loads(each) for each in told["initializationOptions"]] == [{}]


def test_options_for_the_completion_list_can_lie_beside_it(
    read: Callable[..., dict[str, list[str]]], tmp_path: Path
) -> None:
    for file in (TEMPLATE / "template.json", PAGE / "initializationOptions.json"):
        shutil.copy(file, tmp_path)
    told = read(tmp_path, "Linux")
    assert [json.loads(each) for each in told["initializationOptions"]] == [{"completion": True}]


@pytest.fixture
def client(
    warm_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LanguageClient]:
    """A client whose server is started by the command of the template."""
    monkeypatch.setenv("PATH", str(Path(PROGRAM).parent), prepend=os.pathsep)
    template = json.loads((TEMPLATE / "template.json").read_text())
    client = LanguageClient(shlex.split(template["programArgs"]["default"]), tmp_path)
    yield client
    client.kill()


def test_grey_text_comes_as_lsp4ij_asks_for_it(client: LanguageClient) -> None:
    offered = client.initialize(
        json.loads(ANNOUNCED.read_text()), initializationOptions={}, trace="off"
    )
    assert offered["positionEncoding"] == "utf-16"
    assert offered["inlineCompletionProvider"] is not None
    assert "completionProvider" not in offered
    client.open("rectangle.py", "python", ASTRAL)
    client.type(CURSOR, TYPED)
    cursor = CURSOR + len(TYPED)
    [item] = client.items_at("textDocument/inlineCompletion", cursor, {"triggerKind": AUTOMATIC})
    assert item["range"]["start"] == client.position(cursor)  # else it would show less of the text
    assert item["insertText"] == REST
    assert client.with_edit(item["range"], item["insertText"]) == FILLED_ASTRAL
    assert client.close() == (0, "")
