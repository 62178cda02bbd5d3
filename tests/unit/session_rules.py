"""Which documents there are in a simulated session, and which of them settings exclude."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

NAMES = ("a.py", "b.js", "c.txt", "private/d.py", ".env", "server.key", "Untitled-1")
SECRETS = (".env", "server.key")
PATTERNS = ("*.py", "b.js", "private/", "c.txt", "*.nothing")

LANGUAGES = {".py": "python", ".js": "javascript", "": "python"}


def language_of(name: str) -> str:
    return LANGUAGES.get(PurePosixPath(name).suffix, "plaintext")


def matches(pattern: str, name: str) -> bool:
    """Whether one of `PATTERNS`, or a name, is about a document."""
    path = PurePosixPath(name)
    if pattern.endswith("/"):
        return pattern[:-1] in path.parts[:-1]
    return path.name == pattern or (pattern[0] == "*" and path.name.endswith(pattern[1:]))


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What excludes documents.

    Attributes:
        initial, current: ``exclude`` and ``include`` of the client's settings, None if it does not
            say; the current ones win.
        ignored: patterns of the ``.midfillignore`` in the folder.
    """

    initial: tuple[tuple[str, ...] | None, tuple[str, ...] | None] = (None, None)
    current: tuple[tuple[str, ...] | None, tuple[str, ...] | None] = (None, None)
    ignored: tuple[str, ...] = ()

    def told(self, settings: object) -> Exclusions:
        """The client's settings are these now."""
        return replace(self, current=_patterns_in(settings))

    def begun_with(self, options: object) -> Exclusions:
        return replace(self, initial=_patterns_in(options))

    def hide(self, name: str) -> bool:
        """Whether a document must not be seen."""
        exclude, include = (
            current if current is not None else initial or ()
            for initial, current in zip(self.initial, self.current, strict=True)
        )
        in_folder = name != "Untitled-1"
        if any(matches(pattern, name) for pattern in exclude):
            return True
        if in_folder and any(matches(pattern, name) for pattern in self.ignored):
            return True
        return name in SECRETS and not any(matches(pattern, name) for pattern in include)


def _patterns_in(settings: object) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if not isinstance(settings, dict):
        return None, None
    return _strings(settings.get("exclude")), _strings(settings.get("include"))


def _strings(value: Any) -> tuple[str, ...] | None:  # noqa: ANN401
    if not isinstance(value, list):
        return None
    return tuple(one for one in value if isinstance(one, str))
