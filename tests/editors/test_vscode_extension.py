"""The VS Code extension as a package: its settings, its commands, its size, its own tests."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from typing import Any

import pytest
from vscode.packing import ROOT, SOURCE, packed_extension, scripts_of_npm

from midfill.lsp.settings_rules import LANGUAGES, names
from midfill.lsp.settings_schema import editor_schema

sys.path.insert(0, str(SOURCE / "scripts"))
from write_settings import written

MANIFEST: dict[str, Any] = json.loads((SOURCE / "package.json").read_text())
CONTRIBUTED: dict[str, Any] = MANIFEST["contributes"]
OURS, ABOUT_THE_INSTALLATION = CONTRIBUTED["configuration"]


def test_its_settings_are_those_of_the_server() -> None:
    assert written(MANIFEST, editor_schema()) == MANIFEST, (
        "run: python editors/vscode/scripts/write_settings.py .venv/bin/midfill"
    )


def test_its_defaults_and_values_are_those_of_the_server() -> None:
    for name, rule in editor_schema()["properties"].items():
        declared = OURS["properties"][f"midfill.{name}"]
        assert declared.get("enum") == rule.get("enum")
        assert declared["default"] == rule.get("default", {})
        assert declared["markdownDescription"] == rule["description"]


def test_a_workspace_sets_only_what_a_folder_may_set() -> None:
    for name in names():
        scope = OURS["properties"][f"midfill.{name}"]["scope"]
        of_a_folder = name in names(for_a_language=True)
        assert (scope == "resource") == of_a_folder, name
    assert OURS["properties"][f"midfill.{LANGUAGES}"]["scope"] == "resource"
    for setting in ABOUT_THE_INSTALLATION["properties"].values():
        assert setting["scope"] == "machine"


def test_what_counts_from_the_next_start_makes_the_extension_start_it() -> None:
    code = (SOURCE / "src" / "core" / "settings.ts").read_text()
    restarting = set(re.findall(r'"(midfill\.\w+)"', code))
    assert "midfill.model" in restarting
    for name, rule in OURS["properties"].items():
        if "counts from the next start" in rule["markdownDescription"]:
            assert name in restarting


def test_every_command_has_a_title_and_an_icon_and_is_made() -> None:
    source = "".join(file.read_text() for file in (SOURCE / "src").rglob("*.ts"))
    for command in CONTRIBUTED["commands"]:
        assert command["title"][0].isupper()
        assert command["category"] == "Midfill"
        assert re.fullmatch(r"\$\([a-z-]+\)", command["icon"])
        assert f'"{command["command"]}"' in source
    declared = {command["command"] for command in CONTRIBUTED["commands"]}
    assert set(re.findall(r'^    "(midfill\.\w+)": ', source, re.MULTILINE)) <= declared
    used = {key["command"] for key in CONTRIBUTED["keybindings"]}
    for steps in CONTRIBUTED["walkthroughs"]:
        for step in steps["steps"]:
            used |= set(re.findall(r"command:(midfill\.\w+)", step["description"]))
            assert (SOURCE / step["media"]["svg"]).is_file()
    assert used <= declared


def test_no_command_has_a_name_that_the_server_gives_to_one_of_its_own() -> None:
    from midfill.lsp.language_server import create_server

    of_the_server = set(create_server().protocol.fm.commands)
    assert "midfill.explain" in of_the_server
    assert not of_the_server & {command["command"] for command in CONTRIBUTED["commands"]}


def test_every_key_counts_only_where_it_is_meant() -> None:
    for key in CONTRIBUTED["keybindings"]:
        assert "editorTextFocus" in key["when"]
        assert {"midfill.running", "midfill.filling", "inlineSuggestionVisible"} & set(
            key["when"].split(" && ")
        )
        assert key["key"] not in ("tab", "enter")


def test_it_starts_nothing_in_a_workspace_that_is_not_trusted() -> None:
    assert MANIFEST["capabilities"]["untrustedWorkspaces"]["supported"] == "limited"
    assert MANIFEST["extensionKind"] == ["workspace"]


def test_the_package_is_small_and_has_what_it_needs() -> None:
    file = packed_extension()
    assert file.stat().st_size < 1_000_000
    with zipfile.ZipFile(file) as packed:
        names_in_it = {name.removeprefix("extension/") for name in packed.namelist()}
        code = packed.read("extension/build/extension.js").decode()
        assert packed.read("extension/LICENSE.txt") == (ROOT / "LICENSE").read_bytes()
    assert {"package.json", "readme.md", "media/icon.png", "build/NOTICES.txt"} <= names_in_it
    assert not [name for name in names_in_it if name.startswith(("node_modules", "src", "test"))]
    assert "createTelemetryLogger" not in code


def test_the_lock_file_names_no_registry() -> None:
    lock = (SOURCE / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "registry." not in lock


@pytest.mark.parametrize("script", ["check", "test"])
def test_its_own_checks_pass(script: str) -> None:
    ran = scripts_of_npm(script)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    if script == "test":
        assert re.search(r"^(# |ℹ )pass [1-9]", ran.stdout, re.MULTILINE)
