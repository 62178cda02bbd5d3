"""What the editor's settings say, as it sends them in ``initializationOptions``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
    exclusion: UserRules = field(default_factory=UserRules)
    """``exclude``, ``include`` and ``excludeGitignored``; see ``docs/privacy.md``."""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """Settings, and what is wrong with how they were written, a sentence each."""

    settings: Settings
    complaints: tuple[str, ...] = ()


def read_settings(options: object) -> ReadSettings:
    """Read the client's options; those that are wrong or unknown are left at their defaults."""
    default = Settings()
    if options is None:
        return ReadSettings(default)
    if not isinstance(options, Mapping):
        return ReadSettings(default, ("Midfill's initializationOptions must be an object.",))
    model, enabled = default.model, default.enabled
    minimum = default.minimum_confidence
    exclusion = default.exclusion
    complaints = []
    for name, value in options.items():
        match name, value:
            case "model", str() if value.strip():
                model = value.strip()
            case "model", _:
                complaints.append("midfill.model must be the name of a model, such as 'embedded'.")
            case "enabled", bool():
                enabled = value
            case "enabled", _:
                complaints.append("midfill.enabled must be true or false.")
            case "minimumConfidence", int() | float() if _is_chance(value):
                minimum = float(value)
            case "minimumConfidence", _:
                complaints.append("midfill.minimumConfidence must be a number from 0 to 1.")
            case "exclude", list() | tuple():
                exclusion = replace(exclusion, exclude=_strings(value))
                complaints += _complaint_on_patterns("exclude", value)
            case "include", list() | tuple():
                exclusion = replace(exclusion, include=_strings(value))
                complaints += _complaint_on_patterns("include", value)
            case "exclude" | "include", _:
                complaints.append(f"midfill.{name} must be a list of patterns.")
            case "excludeGitignored", bool():
                exclusion = replace(exclusion, gitignore=value)
            case "excludeGitignored", _:
                complaints.append("midfill.excludeGitignored must be true or false.")
            case _:
                complaints.append(f"Midfill knows no setting called {str(name)[:40]!r}.")
    return ReadSettings(Settings(model, enabled, minimum, exclusion), tuple(complaints))


def _strings(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))


def _complaint_on_patterns(name: str, values: Sequence[object]) -> list[str]:
    right = all(isinstance(value, str) for value in values)
    return [] if right else [f"midfill.{name} must be a list of patterns: the others hold."]


def _is_chance(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value <= 1
