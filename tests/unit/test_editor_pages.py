"""The pages of editors show the lines that are kept, and tested, as files."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from midfill.lsp.settings import read_settings

EDITORS = Path(__file__).parents[2] / "editors"

SHOWN = {
    "emacs": ["init-midfill.el", "init-lsp-mode.el", "init-eglot.el"],
    "helix": ["languages.toml"],
    "kakoune": ["kakrc-midfill", "kakrc"],
    "sublime": ["LanguageServers.sublime-settings"],
    "zed": ["settings.json", "edit_predictions.json"],
    "jetbrains": ["template/template.json", "initializationOptions.json"],
}


def blocks(page: str) -> list[str]:
    """What is in a page's fences."""
    return re.findall(r"^```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("editor", SHOWN)
def test_a_page_shows_its_files_and_nothing_else(editor: str) -> None:
    page = (EDITORS / editor / "README.md").read_text()
    assert blocks(page) == [(EDITORS / editor / name).read_text() for name in SHOWN[editor]]


def test_every_folder_has_a_row_in_the_table() -> None:
    table = (EDITORS / "README.md").read_text()
    folders = {folder.name for folder in EDITORS.iterdir() if folder.is_dir()}
    assert {*SHOWN} <= folders
    for folder in folders:
        assert f"]({folder}/README.md" in table


def options_of(editor: str) -> list[object]:
    """The settings that an editor's files have for Midfill."""
    folder = EDITORS / editor
    match editor:
        case "helix":
            lines = tomllib.loads((folder / "languages.toml").read_text())
            return [lines["language-server"]["midfill"]["config"]]
        case "kakoune":
            [table] = re.findall(r"lsp_servers %\{(.*?)\}", (folder / "kakrc").read_text(), re.S)
            server = tomllib.loads(table)["midfill"]
            return [server["settings"][server["settings_section"]]]
        case "sublime":
            lines = json.loads((folder / "LanguageServers.sublime-settings").read_text())
            return [lines["midfill"]["initialization_options"]]
        case "zed":
            lines = json.loads((folder / "settings.json").read_text())
            return [lines["lsp"]["midfill"]["initialization_options"]]
        case _:
            return [json.loads((folder / "initializationOptions.json").read_text())]


@pytest.mark.parametrize("editor", [editor for editor in SHOWN if editor != "emacs"])
def test_the_settings_on_a_page_ask_for_the_completion_list(editor: str) -> None:
    for options in options_of(editor):
        read = read_settings(options)
        assert read.settings.completion
        assert not read.complaints


def commands() -> list[list[str]]:
    """How the editors with files in JSON and TOML start the server."""
    helix = tomllib.loads((EDITORS / "helix" / "languages.toml").read_text())
    server = helix["language-server"]["midfill"]
    sublime = json.loads((EDITORS / "sublime" / "LanguageServers.sublime-settings").read_text())
    jetbrains = json.loads((EDITORS / "jetbrains" / "template" / "template.json").read_text())
    unix = re.fullmatch(r'sh -c "(.*)"', jetbrains["programArgs"]["default"])
    assert unix is not None
    return [
        [server["command"], *server["args"]],
        sublime["midfill"]["command"],
        unix[1].split(),
        jetbrains["programArgs"]["windows"].replace(".exe", "").split(),
    ]


def test_all_of_them_start_the_server() -> None:
    assert all(command == ["midfill", "lsp"] for command in commands())


def test_the_files_of_zeds_extension_agree() -> None:
    extension = tomllib.loads((EDITORS / "zed" / "extension.toml").read_text())
    package = tomllib.loads((EDITORS / "zed" / "Cargo.toml").read_text())["package"]
    settings = json.loads((EDITORS / "zed" / "settings.json").read_text())
    assert extension["version"] == package["version"]
    [server] = extension["language_servers"]
    assert server in settings["lsp"]
    names = extension["language_servers"][server]
    assert {*names["language_ids"]} <= {*names["languages"]}
