"""Our extension for Zed on a stand-in for Zed's crate, and the server for a client that says what
Zed says, over the protocol and over HTTP.

Zed itself does not run: no package index has it. What it announces, asks and reads, and the names
of its crate, of languages and of settings, were read in its sources.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from astral_rectangle import ASTRAL, CURSOR, FILLED_ASTRAL
from installed import from_debian
from language_client import PROGRAM, LanguageClient
from rectangle import REST, TYPED

from midfill.inference.syntax.grammars import grammar_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from served_engine import Served

PAGE = Path(__file__).parents[2] / "editors" / "zed"
STAND_INS = Path(__file__).parent / "zed"

ANNOUNCED = Path(__file__).parent / "announced" / "zed.json"
"""The capabilities that Zed announces, as far as a server like ours may look at them."""

NAMES = {"Python", "JavaScript", "TypeScript", "TSX", "Go", "Rust", "C", "C++", "Java"}
"""Of languages, in Zed's own grammars and, of Java, in its extension."""

INVOKED = 1
"""The kind of Zed's requests but those that a trigger character of the server causes."""

STOPS = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"]
"""With the prompt format ``qwen``."""

SECONDS = 300

TRIES = 10
"""A busy machine may pass the deadline of an answer; what the engine has read by then it keeps."""


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints which command our extension gives Zed."""
    rustc = from_debian("rustc", "rustc")
    folder = tmp_path_factory.mktemp("extension")
    edition = tomllib.loads((PAGE / "Cargo.toml").read_text())["package"]["edition"]
    (folder / "main.rs").write_text(
        (STAND_INS / "host.rs")
        .read_text()
        .replace("mod extension;", f'#[path = "{PAGE / "src" / "lib.rs"}"]\nmod extension;')
    )
    compile_ = [rustc, "--edition", edition, "-D", "warnings"]
    api = folder / "libzed_extension_api.rlib"
    for arguments in (
        ["--crate-type", "rlib", "-o", api, STAND_INS / "zed_extension_api.rs"],
        ["--extern", f"zed_extension_api={api}", "-o", folder / "host", folder / "main.rs"],
    ):
        done = subprocess.run(
            [*compile_, *arguments], capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, done.stderr
    return folder / "host"


def command_of(extension: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Ask the extension, with programs looked up in some folders."""
    environment = {"PATH": path, "SHELL_ENVIRONMENT": "kept"}
    return subprocess.run([extension], env=environment, capture_output=True, text=True, timeout=60)


def test_the_extension_starts_the_midfill_on_the_path(extension: Path) -> None:
    programs = str(Path(PROGRAM).parent)
    told = command_of(extension, os.pathsep.join(["/nowhere", programs])).stdout.splitlines()
    assert told[:2] == [f"command {PROGRAM}", "arg lsp"]
    assert "env SHELL_ENVIRONMENT=kept" in told


def test_the_extension_says_what_is_missing(extension: Path) -> None:
    done = command_of(extension, "/nowhere")
    assert done.returncode == 1
    assert done.stdout == "There is no midfill on the PATH: install it with pip\n"


def languages() -> list[str]:
    server = tomllib.loads((PAGE / "extension.toml").read_text())["language_servers"]["midfill"]
    return [str(name) for name in server["languages"]]


def identifier(language: str) -> str:
    """What Zed calls a language to our server: as the extension says, else its name in small."""
    server = tomllib.loads((PAGE / "extension.toml").read_text())["language_servers"]["midfill"]
    return str(server["language_ids"].get(language, language.lower()))


def test_the_extension_names_languages_as_zed_does() -> None:
    assert {*languages()} == NAMES


@pytest.mark.parametrize("language", languages())
def test_languages_come_by_names_that_the_server_knows(language: str) -> None:
    assert grammar_for(identifier(language)) is not None


@pytest.fixture
def client(warm_engine: None, tmp_path: Path) -> Iterator[LanguageClient]:
    client = LanguageClient([PROGRAM, "lsp"], tmp_path)
    yield client
    client.kill()


def test_the_entry_in_the_list_comes_as_zed_asks_for_it(client: LanguageClient) -> None:
    settings = json.loads((PAGE / "settings.json").read_text())
    options = settings["lsp"]["midfill"]["initialization_options"]
    capabilities = json.loads(ANNOUNCED.read_text())
    offered = client.initialize(capabilities, initializationOptions=options)
    assert offered["positionEncoding"] == "utf-16"
    assert offered["completionProvider"] is not None
    client.open("rectangle.py", identifier("Python"), ASTRAL)
    client.type(CURSOR, TYPED)
    cursor = CURSOR + len(TYPED)
    [item] = client.items_at("textDocument/completion", cursor, {"triggerKind": INVOKED})
    assert item["filterText"].startswith("wi")  # what Zed matches entries with
    modes = capabilities["textDocument"]["completion"]["completionItem"]["insertTextModeSupport"]
    assert item["insertTextMode"] in modes["valueSet"]
    edit = item["textEdit"]
    assert client.with_edit(edit["range"], edit["newText"]) == FILLED_ASTRAL
    taken = item["command"]
    assert taken["command"] in offered["executeCommandProvider"]["commands"]
    client.ask("workspace/executeCommand", {k: taken[k] for k in ("command", "arguments")})
    assert client.close() == (0, "")


def test_an_edit_prediction_comes_as_zed_asks_for_it(served: Callable[[], Served]) -> None:
    lines = json.loads((PAGE / "edit_predictions.json").read_text())["edit_predictions"]
    settings = lines[lines["provider"]]
    assert settings["prompt_format"] == "qwen"
    engine = served()
    before, after = ASTRAL[:CURSOR] + TYPED, ASTRAL[CURSOR:]
    asked = {
        "model": settings["model"],
        "prompt": f"<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>",
        "max_tokens": settings["max_output_tokens"],
        "stop": STOPS,
    }
    url = settings["api_url"].replace("http://127.0.0.1:8012", engine.url)
    headers = {"Authorization": f"Bearer {engine.token}"}
    for _ in range(TRIES):
        answer = httpx.post(url, json=asked, headers=headers, timeout=SECONDS)
        assert answer.status_code == 200
        told: dict[str, Any] = answer.json()
        if told["choices"][0]["finish_reason"] != "length":
            break
    assert isinstance(told["id"], str)
    assert told["choices"][0]["text"] == REST


def test_other_tools_page_has_the_same_lines() -> None:
    page = (PAGE.parents[1] / "docs" / "other-tools.md").read_text()
    assert f"```json\n{(PAGE / 'edit_predictions.json').read_text()}```" in page
