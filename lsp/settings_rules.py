"""The settings by name: what each may be, and what it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Rule:
    """One setting.

    Attributes:
        field: its name in `Settings`.
        about: what it is for, a sentence.
        wanted: what it may be, in words that go on after "must be".
        schema: the same as JSON Schema, with the default.
        is_right: whether a value may be used.
        read: from a right value to the one in `Settings`.
        for_a_language: it can be set for one language or folder alone.
    """

    field: str
    about: str
    wanted: str
    schema: Mapping[str, Any]
    is_right: Callable[[object], bool]
    read: Callable[[Any], object] = lambda value: value
    for_a_language: bool = True


def _switch(name: str, about: str, *, default: bool = True, for_a_language: bool = True) -> Rule:
    return Rule(
        name,
        about,
        "true or false",
        {"type": "boolean", "default": default},
        lambda value: isinstance(value, bool),
        for_a_language=for_a_language,
    )


def _one_of(name: str, about: str, *words: str) -> Rule:
    """The first of the words is the default."""
    quoted = [f"'{word}'" for word in words]
    return Rule(
        name,
        about,
        f"{', '.join(quoted[:-1])} or {quoted[-1]}",
        {"enum": [*words], "default": words[0]},
        lambda value: isinstance(value, str) and value in words,
    )


def _text(name: str, about: str, wanted: str) -> Rule:
    return Rule(
        name,
        about,
        wanted,
        {"type": "string", "default": ""},
        lambda value: isinstance(value, str),
        str.strip,
        for_a_language=False,
    )


def _patterns(name: str, about: str) -> Rule:
    return Rule(
        name,
        about,
        "a list of patterns",
        {"type": "array", "items": {"type": "string"}, "default": []},
        lambda value: isinstance(value, list | tuple),
        lambda value: tuple(pattern for pattern in value if isinstance(pattern, str)),
        for_a_language=False,
    )


def _is_whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_chance(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


RULES: Mapping[str, Rule] = {
    "model": Rule(
        "model",
        "`embedded`, a hub id, a local folder, or `vllm:URL#NAME`; counts from the next start.",
        "the name of a model, such as 'embedded'",
        {"type": "string", "pattern": r"\S", "default": "embedded"},
        lambda value: isinstance(value, str) and bool(value.strip()),
        str.strip,
        for_a_language=False,
    ),
    "endpoint": _text(
        "endpoint",
        "A team's server to use instead of an engine on this machine: `https://HOST:PORT`; counts "
        "from the next start.",
        "an address, such as 'https://midfill.example:8443'",
    ),
    "endpointTokenFile": _text(
        "endpoint_token_file",
        "A file that you alone can read, with the token for that server; without one the keyring "
        "is asked.",
        "the path of a file",
    ),
    "enabled": _switch("enabled", "Whether anything is suggested; if not, no engine is started."),
    "mode": _one_of(
        "mode",
        "`eager`, `subtle` (a line at a time, and only what is rather right than wrong) or "
        "`manual` (only what is asked for by hand).",
        "eager",
        "subtle",
        "manual",
    ),
    "minimumConfidence": Rule(
        "minimum_confidence",
        "How likely exactly right a suggestion has to be to be shown unasked.",
        "a number from 0 to 1",
        {"type": "number", "minimum": 0, "maximum": 1, "default": 0.2},
        _is_chance,
        float,
    ),
    "comments": _switch("comments", "Whether anything is suggested unasked in comments."),
    "strings": _switch("strings", "Whether anything is suggested unasked in strings."),
    "multiline": _one_of(
        "multiline",
        "`auto` (a block where one has no body yet, else a statement), `never` or `always`.",
        "auto",
        "never",
        "always",
    ),
    "delay": Rule(
        "delay",
        "Milliseconds to wait before the model is asked; `adaptive` goes by how you type.",
        "'adaptive' or a whole number of milliseconds from 0 to 2000",
        {
            "anyOf": [{"const": "adaptive"}, {"type": "integer", "minimum": 0, "maximum": 2000}],
            "default": "adaptive",
        },
        lambda value: value == "adaptive" or _is_whole(value, 0, 2000),
        lambda value: None if value == "adaptive" else value,
    ),
    "maximumTokens": Rule(
        "maximum_tokens",
        "The longest suggestion unasked, in tokens.",
        "a whole number from 1 to 512",
        {"type": "integer", "minimum": 1, "maximum": 512, "default": 64},
        lambda value: _is_whole(value, 1, 512),
    ),
    "readAhead": _switch(
        "read_ahead",
        "Whether the suggestion after the shown one is worked out while that is being read.",
    ),
    "contextTokens": Rule(
        "context_tokens",
        "So many tokens of other files the model may see besides the document; 0 for none.",
        "a whole number from 0 to 1024",
        {"type": "integer", "minimum": 0, "maximum": 1024, "default": 0},
        lambda value: _is_whole(value, 0, 1024),
        for_a_language=False,
    ),
    "contextImports": _switch(
        "context_imports",
        "Whether definitions behind imports may be among that.",
        for_a_language=False,
    ),
    "contextVisited": _switch(
        "context_visited",
        "Whether pieces of open and visited files may be among that.",
        for_a_language=False,
    ),
    "contextEdits": _switch(
        "context_edits",
        "Whether places that were edited lately may be among that.",
        for_a_language=False,
    ),
    "contextClipboard": _switch(
        "context_clipboard",
        "Whether what was copied last may be among that, if the client tells.",
        default=False,
        for_a_language=False,
    ),
    "completion": _switch(
        "completion",
        "Whether suggestions also come as the last entry of the completion list, for editors "
        "without inline completion; counts from the next start.",
        default=False,
        for_a_language=False,
    ),
    "statistics": _switch(
        "statistics",
        "Whether it is kept on this machine what becomes of suggestions; see `midfill stats`.",
        for_a_language=False,
    ),
    "exclude": _patterns("exclude", "Files never to read, in the syntax of `.gitignore`."),
    "include": _patterns(
        "include", "Files to read though they look like secrets or Git ignores them."
    ),
    "excludeGitignored": _switch(
        "gitignore", "Whether what Git ignores is excluded.", for_a_language=False
    ),
}
"""All settings but ``languages``, as a client writes them."""

LANGUAGES = "languages"


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says: fields of `Settings` with their values.

    Attributes:
        general: for everything.
        languages: for documents of one language, by the editor's name for it.
        complaints: what is wrong with how it is written, a sentence each.
    """

    general: Mapping[str, Any] = field(default_factory=dict)
    languages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()


def names(*, for_a_language: bool = False) -> Sequence[str]:
    """The settings, or those of them that can be set for one language."""
    return [name for name, rule in RULES.items() if rule.for_a_language or not for_a_language]
