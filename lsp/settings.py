"""What the user wants, from the editor's settings and from files of the workspace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from midfill.inference.exclusion.policy import UserRules
from midfill.lsp.settings_rules import LANGUAGES, RULES, Layer, names


@dataclass(frozen=True, slots=True)
class Settings:
    """The ``midfill.*`` settings; `settings_rules.RULES` says what each is for."""

    model: str = "embedded"
    endpoint: str = ""
    """A server elsewhere; "" for an engine of the user's own. See ``docs/team-server.md``."""
    endpoint_token_file: str = ""
    enabled: bool = True
    minimum_confidence: float = 0.2
    """0 … 1; see ``docs/confidence.md``."""
    mode: str = "eager"
    comments: bool = True
    strings: bool = True
    multiline: str = "auto"
    delay: int | None = None
    """Milliseconds; None, written ``adaptive``, goes by how the user types."""
    maximum_tokens: int = 64
    read_ahead: bool = True
    context_tokens: int = 0
    context_imports: bool = True
    context_visited: bool = True
    context_edits: bool = True
    context_clipboard: bool = False
    completion: bool = False
    statistics: bool = True
    exclusion: UserRules = field(default_factory=UserRules)
    """``exclude``, ``include`` and ``excludeGitignored``; see ``docs/privacy.md``."""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """Settings, and what is wrong with how they were written, a sentence each."""

    settings: Settings
    complaints: tuple[str, ...] = ()


def read_settings(options: object) -> ReadSettings:
    """Read one client's options; those that are wrong or unknown are left at their defaults."""
    layer = read_layer(options)
    return ReadSettings(merged([layer]), layer.complaints)


def merged(layers: Iterable[Layer], language: str = "") -> Settings:
    """What holds in a document of a language.

    Later layers win over earlier ones; but what any of them says for the language wins over what
    others say in general.
    """
    layers = list(layers)
    values: dict[str, Any] = {}
    for layer in layers:
        values.update(layer.general)
    for layer in layers:
        values.update(layer.languages.get(language, {}))
    rules = {name: values.pop(name) for name in UserRules.__slots__ if name in values}
    return Settings(**values, exclusion=UserRules(**rules))


def read_layer(options: object, before: str = "midfill.") -> Layer:
    """Read what one place says, forgivingly: what is right holds beside what is wrong.

    Args:
        options: an object with settings by name; None says nothing.
        before: what names in complaints begin with.
    """
    if options is None:
        return Layer()
    if not isinstance(options, Mapping):
        return Layer(complaints=("Midfill's settings must be an object.",))
    general, complaints = _read(options, before, [*names(), LANGUAGES])
    languages: dict[str, Mapping[str, Any]] = {}
    given = options.get(LANGUAGES, {})
    if not isinstance(given, Mapping):
        complaints.append(f"{before}{LANGUAGES} must be an object with settings for languages.")
        given = {}
    for language, its_options in given.items():
        inner = f"{before}{LANGUAGES}.{str(language)[:40]}"
        if isinstance(its_options, Mapping):
            its_values, its_complaints = _read(its_options, f"{inner}.", names(for_a_language=True))
            languages[str(language)] = its_values
            complaints += its_complaints
        else:
            complaints.append(f"{inner} must be an object with settings.")
    return Layer(general, languages, tuple(complaints))


def _read(
    options: Mapping[Any, Any], before: str, allowed: Iterable[str]
) -> tuple[dict[str, Any], list[str]]:
    allowed = list(allowed)
    values: dict[str, Any] = {}
    complaints = []
    for name, value in options.items():
        rule = RULES.get(name)
        if name not in allowed:
            complaints.append(
                _misplaced(before + name) if rule else _unknown(name, before, allowed)
            )
        elif rule and rule.is_right(value):
            values[rule.field] = rule.read(value)
            if isinstance(value, list | tuple) and len(values[rule.field]) < len(value):
                complaints.append(f"{before}{name} must be {rule.wanted}: the others hold.")
        elif rule:
            complaints.append(f"{before}{name} must be {rule.wanted}.")
    return values, complaints


def _misplaced(name: str) -> str:
    return f"{name} cannot be set for one language: it holds for all."


def _unknown(name: object, before: str, allowed: Iterable[str]) -> str:
    complaint = f"Midfill knows no setting called {before + str(name)[:40]!r}."
    near = get_close_matches(str(name), allowed, 1)
    return f"{complaint} Is it {before}{near[0]}?" if near else complaint
