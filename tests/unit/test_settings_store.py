"""Which settings hold for which document, whoever says so."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.lsp.folder_settings import LARGEST, NAME, FolderSettings, read_file
from midfill.lsp.settings import Settings, merged, read_layer
from midfill.lsp.settings_rules import RULES, names
from midfill.lsp.settings_store import SettingsStore

DOCS = Path(__file__).resolve().parents[2] / "docs"


def store(complaints: list[str] | None = None, **initial: object) -> SettingsStore:
    settings = SettingsStore((complaints if complaints is not None else []).append)
    settings.start_with(initial)
    return settings


def test_the_client_s_later_word_wins() -> None:
    settings = store(mode="manual", delay=100)
    settings.configure({"mode": "subtle"})
    assert settings.everywhere == Settings(mode="subtle", delay=100)
    settings.configure(None)
    assert settings.everywhere == Settings(mode="manual", delay=100)


def test_a_language_has_settings_of_its_own() -> None:
    settings = store(strings=True, languages={"markdown": {"enabled": False, "delay": 300}})
    assert settings.for_document("file:///a.md", "markdown") == Settings(enabled=False, delay=300)
    assert settings.for_document("file:///a.py", "python") == Settings()


def test_what_is_said_for_a_language_wins_over_what_is_said_later_in_general() -> None:
    settings = store(languages={"go": {"mode": "manual"}})
    settings.configure({"mode": "subtle"})
    assert settings.for_document("file:///a.go", "go").mode == "manual"
    assert settings.for_document("file:///a.py", "python").mode == "subtle"


def test_each_folder_has_its_settings(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "one" / "two"
    settings = store()
    settings.open_folders([one.as_uri(), two.as_uri()])
    settings.configure(None, {one.as_uri(): {"delay": 1}, two.as_uri(): {"delay": 2}})
    assert settings.for_document((one / "a.py").as_uri(), "python").delay == 1
    assert settings.for_document((two / "a.py").as_uri(), "python").delay == 2
    assert settings.for_document((tmp_path / "a.py").as_uri(), "python").delay is None


def test_a_document_without_a_file_is_in_the_first_folder(tmp_path: Path) -> None:
    settings = store()
    settings.open_folders([tmp_path.as_uri()])
    settings.configure(None, {tmp_path.as_uri(): {"delay": 1}})
    assert settings.for_document("untitled:Untitled-1", "python").delay == 1


def test_settings_of_a_folder_do_not_decide_what_is_read_or_run(tmp_path: Path) -> None:
    settings = store()
    settings.open_folders([tmp_path.as_uri()])
    settings.configure(None, {tmp_path.as_uri(): {"model": "other", "include": [".env"]}})
    document = settings.for_document((tmp_path / "a.py").as_uri(), "python")
    assert document == settings.everywhere == Settings()


def test_the_innermost_file_of_a_folder_wins_setting_by_setting(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / NAME).write_text('mode = "subtle"\ndelay = 5\n[languages.go]\nstrings = false\n')
    (inner / NAME).write_text("delay = 7\n")
    settings = store(mode="eager")
    settings.open_folders([tmp_path.as_uri()])
    document = (inner / "a.go").as_uri()
    assert settings.for_document(document, "go") == Settings(mode="subtle", delay=7, strings=False)
    outside = tmp_path.parent / "a.go"
    assert settings.for_document(outside.as_uri(), "go") == Settings()


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    now = 0.0
    files = FolderSettings(lambda: now)
    at = tmp_path / "a.py"
    assert merged(files.layers(at, tmp_path)) == Settings()
    (tmp_path / NAME).write_text("delay = 5")
    assert merged(files.layers(at, tmp_path)) == Settings()
    now = 2.0
    assert merged(files.layers(at, tmp_path)) == Settings(delay=5)
    (tmp_path / NAME).unlink()
    files.forget()
    assert merged(files.layers(at, tmp_path)) == Settings()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('model = "other"', "model is for your own settings alone"),
        ('endpoint = "http://elsewhere"', "endpoint is for your own settings alone"),
        ('token = "t"', "token is for your own settings alone"),
        ('command = ["sh"]', "command is for your own settings alone"),
        ("completion = true", "completion is for your own settings alone"),
        ('include = [".env"]', "include is for your own settings; a folder has .midfillignore"),
        ("excludeGitignored = false", "excludeGitignored is for your own settings"),
        ("enabled = true", "enabled can only be false"),
        ("languages.go.enabled = true", "enabled can only be false"),
        ('languages.go.model = "x"', "languages.go.model cannot be set for one language"),
        ('mode = "loud"', "mode must be 'eager', 'subtle' or 'manual'"),
        ("modee = 1", "Is it mode?"),
        ("languages = 3", "languages must be an object"),
        ("languages.go = 3", "languages.go must be an object"),
        ("mode = ", "not valid TOML"),
        ("#" * LARGEST + "\n", "larger than 64 KiB"),
        ("mode = '\udcff'", "not UTF-8"),
    ],
)
def test_what_a_file_of_the_workspace_may_not_say_is_named_and_holds_no_sway(
    tmp_path: Path, line: str, complaint: str
) -> None:
    (tmp_path / NAME).write_bytes(line.encode(errors="surrogateescape"))
    layer = read_file(tmp_path / NAME, tmp_path)
    [sentence] = layer.complaints
    assert sentence.startswith(str(tmp_path / NAME))
    assert complaint in sentence
    assert merged([layer], "go") == Settings()


def test_a_file_that_is_a_folder_a_pipe_or_leads_elsewhere_is_not_read(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside.toml"
    root.mkdir()
    outside.write_text("delay = 5")
    complaints = []
    for make in (
        lambda at: at.mkdir(),
        lambda at: os.mkfifo(at),
        lambda at: at.symlink_to(outside),
        lambda at: at.symlink_to(root / "nowhere"),
    ):
        make(root / NAME)
        complaints += read_file(root / NAME, root).complaints
        (root / NAME).rename(root / f"old{len(complaints)}")
    assert ["not a file" in said for said in complaints] == [True, True, False, False]
    assert "link out of the workspace" in complaints[2]
    assert "No such file" in complaints[3]


def test_a_complaint_is_made_once(tmp_path: Path) -> None:
    complaints: list[str] = []
    (tmp_path / NAME).write_text("modee = 1")
    settings = store(complaints, delay=-1)
    settings.open_folders([tmp_path.as_uri()])
    for _ in range(3):
        settings.tell_complaints()
        settings.for_document((tmp_path / "a.py").as_uri(), "python")
    assert len(complaints) == 2


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
)


@given(
    st.dictionaries(st.sampled_from([*names(), "languages"]) | st.text(max_size=8), ANYTHING)
    | ANYTHING
)
def test_whatever_a_client_says_is_read(options: object) -> None:
    layer = read_layer(options)
    settings = merged([layer], "python")
    assert isinstance(settings, Settings)
    assert all(sentence.endswith((".", "?")) for sentence in layer.complaints)


def test_rules_schema_and_documentation_agree_with_the_settings() -> None:
    own = {each.name for each in fields(Settings)} - {"exclusion"}
    assert {rule.field for rule in RULES.values()} == own | {"exclude", "include", "gitignore"}
    text = (DOCS / "settings.md").read_text()
    for name, rule in RULES.items():
        assert f"| `{name}` | {rule.about}" in text
        default = rule.schema["default"]
        assert rule.is_right(default)
        assert merged([read_layer({name: default})]) == Settings()
        assert f"| `{json.dumps(default)}` |" in text
