"""The published schema says what the settings may be, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from midfill.lsp.cli import app
from midfill.lsp.settings import read_layer
from midfill.lsp.settings_rules import RULES, names
from midfill.lsp.settings_schema import editor_schema, folder_schema

WORDS = st.sampled_from(["eager", "manual", "never", "adaptive", "embedded", " ", "no such word"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3000),
    st.floats(-1, 2, allow_nan=False).filter(lambda value: not value.is_integer()),
    WORDS,
    st.text(max_size=5),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=3), st.booleans(), max_size=2),
)
SETTINGS = st.dictionaries(st.sampled_from([*names(), "nonsense"]), VALUES, max_size=4)
EDITOR, FOLDER = Draft202012Validator(editor_schema()), Draft202012Validator(folder_schema())


@pytest.mark.parametrize("validator", [EDITOR, FOLDER])
def test_it_is_a_schema(validator: Draft202012Validator) -> None:
    Draft202012Validator.check_schema(validator.schema)


@given(SETTINGS, SETTINGS)
def test_it_allows_what_the_server_takes_without_complaint(
    options: dict[str, Any], of_a_language: dict[str, Any]
) -> None:
    whole = options | {"languages": {"go": of_a_language}}
    assert EDITOR.is_valid(whole) == (not read_layer(whole).complaints)


@pytest.mark.parametrize("name", names())
def test_a_folder_has_only_what_comes_with_code(name: str) -> None:
    default = RULES[name].schema["default"]
    allowed = RULES[name].for_a_language and name != "enabled"
    assert FOLDER.is_valid({name: default}) == allowed
    assert FOLDER.is_valid({"languages": {"go": {name: default}}}) == allowed


def test_a_folder_may_only_switch_off() -> None:
    assert FOLDER.is_valid({"enabled": False})
    assert not FOLDER.is_valid({"languages": {"go": {"enabled": True}}})


@pytest.mark.parametrize(
    ("where", "schema"), [("editor", editor_schema()), ("folder", folder_schema())]
)
def test_the_command_prints_it(where: str, schema: dict[str, Any]) -> None:
    result = CliRunner().invoke(app, ["settings", "--schema", where])
    assert result.exit_code == 0
    assert json.loads(result.output) == schema


def test_the_command_lists_every_setting() -> None:
    result = CliRunner().invoke(app, ["settings"])
    assert result.exit_code == 0
    assert all(name in result.output for name in names())
