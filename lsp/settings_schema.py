"""The settings as JSON Schema, for editors that check and complete what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from midfill.lsp.settings_rules import LANGUAGES, RULES, names

if TYPE_CHECKING:
    from collections.abc import Iterable

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def editor_schema() -> dict[str, Any]:
    """Of what an editor sends: all settings."""
    return _schema("Midfill's settings", names(), {})


def folder_schema() -> dict[str, Any]:
    """Of ``.midfill.toml``: what comes with the code may only say how suggestions behave.

    It can switch Midfill off and not on.
    """
    return _schema(".midfill.toml", names(for_a_language=True), {"enabled": {"const": False}})


def _schema(title: str, allowed: Iterable[str], narrower: dict[str, Any]) -> dict[str, Any]:
    of_a_language = _settings(names(for_a_language=True), narrower)
    languages = {
        "description": "Settings for one language each, by the editor's name of it.",
        "type": "object",
        "additionalProperties": of_a_language,
    }
    schema = _settings(allowed, narrower)
    schema["properties"][LANGUAGES] = languages
    return {"$schema": DIALECT, "title": title, **schema}


def _settings(allowed: Iterable[str], narrower: dict[str, Any]) -> dict[str, Any]:
    properties = {
        name: {"description": RULES[name].about, **narrower.get(name, RULES[name].schema)}
        for name in allowed
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}
