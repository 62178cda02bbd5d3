"""What the editor's settings say, as it sends them in ``initializationOptions``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from midfill.inference.exclusion.policy import UserRules


@dataclass(frozen=True, slots=True)
class Settings:
    """The ``midfill.*`` settings."""

    model: str = "embedded"
    """``embedded``, a hub id, a local folder, or ``vllm:URL#NAME``."""
    enabled: bool = True
    """Whether anything is suggested; if not, no engine is started."""
    minimum_confidence: float = 0.2
    """How likely exactly right a fill has to be, 0 … 1, to be shown unasked; see
    ``docs/confidence.md``."""
    mode: str = "eager"
    """``eager``, ``subtle`` (a line at a time, and only what is rather right than wrong) or
    ``manual`` (only what is asked for by hand)."""
    comments: bool = True
    """Whether anything is suggested unasked in comments."""
    strings: bool = True
    """Whether anything is suggested unasked in strings."""
    multiline: str = "auto"
    """``auto`` (a block where one has no body yet), ``never`` or ``always``."""
    delay: int | None = None
    """Milliseconds to wait before the engine is asked; None, written ``adaptive``, goes by how the
    user types."""
    maximum_tokens: int = 64
    """The longest suggestion."""
    read_ahead: bool = True
    """Whether the suggestion after the shown one is worked out while that is being read."""
    exclusion: UserRules = field(default_factory=UserRules)
    """``exclude``, ``include`` and ``excludeGitignored``; see ``docs/privacy.md``."""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """Settings, and what is wrong with how they were written, a sentence each."""

    settings: Settings
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rule:
    """A setting's name here, what makes a value right, and what its value becomes."""

    field: str
    wanted: str
    is_right: Callable[[object], bool]
    read: Callable[[Any], object] = lambda value: value


def _one_of(*words: str) -> tuple[str, Callable[[object], bool]]:
    quoted = [f"'{word}'" for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}", lambda value: value in words


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _is_chance(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


_SWITCH = ("true or false", _is_bool)
_RULES = {
    "model": _Rule(
        "model",
        "the name of a model, such as 'embedded'",
        lambda value: isinstance(value, str) and bool(value.strip()),
        str.strip,
    ),
    "enabled": _Rule("enabled", *_SWITCH),
    "mode": _Rule("mode", *_one_of("eager", "subtle", "manual")),
    "minimumConfidence": _Rule("minimum_confidence", "a number from 0 to 1", _is_chance, float),
    "comments": _Rule("comments", *_SWITCH),
    "strings": _Rule("strings", *_SWITCH),
    "multiline": _Rule("multiline", *_one_of("auto", "never", "always")),
    "delay": _Rule(
        "delay",
        "'adaptive' or a whole number of milliseconds from 0 to 2000",
        lambda value: value == "adaptive" or _is_whole(0, 2000)(value),
        lambda value: None if value == "adaptive" else value,
    ),
    "maximumTokens": _Rule("maximum_tokens", "a whole number from 1 to 512", _is_whole(1, 512)),
    "readAhead": _Rule("read_ahead", *_SWITCH),
}
_PATTERNS = ("exclude", "include")
NAMES = (*_RULES, *_PATTERNS, "excludeGitignored")
"""All settings, as a client writes them."""


def read_settings(options: object) -> ReadSettings:
    """Read the client's options; those that are wrong or unknown are left at their defaults."""
    if options is None:
        return ReadSettings(Settings())
    if not isinstance(options, Mapping):
        return ReadSettings(Settings(), ("Midfill's initializationOptions must be an object.",))
    values: dict[str, Any] = {}
    exclusion = UserRules()
    complaints = []
    for name, value in options.items():
        if rule := _RULES.get(name):
            if rule.is_right(value):
                values[rule.field] = rule.read(value)
            else:
                complaints.append(f"midfill.{name} must be {rule.wanted}.")
        elif name in _PATTERNS and isinstance(value, list | tuple):
            patterns = _strings(value)
            if name == "exclude":
                exclusion = replace(exclusion, exclude=patterns)
            else:
                exclusion = replace(exclusion, include=patterns)
            complaints += _complaint_on_patterns(name, value)
        elif name in _PATTERNS:
            complaints.append(f"midfill.{name} must be a list of patterns.")
        elif name == "excludeGitignored" and isinstance(value, bool):
            exclusion = replace(exclusion, gitignore=value)
        elif name == "excludeGitignored":
            complaints.append("midfill.excludeGitignored must be true or false.")
        else:
            complaints.append(_unknown(str(name)))
    return ReadSettings(Settings(**values, exclusion=exclusion), tuple(complaints))


def _unknown(name: str) -> str:
    complaint = f"Midfill knows no setting called {name[:40]!r}."
    near = get_close_matches(name, NAMES, 1)
    return f"{complaint} Is it midfill.{near[0]}?" if near else complaint


def _strings(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))


def _complaint_on_patterns(name: str, values: Sequence[object]) -> list[str]:
    right = all(isinstance(value, str) for value in values)
    return [] if right else [f"midfill.{name} must be a list of patterns: the others hold."]
