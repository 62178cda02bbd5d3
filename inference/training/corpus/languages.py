"""Which programming language a file is in, by its name."""

from __future__ import annotations

from pathlib import PurePosixPath

EXTENSIONS = {
    "python": (".py",),
    "javascript": (".js", ".mjs", ".cjs", ".jsx"),
    "typescript": (".ts", ".tsx", ".mts", ".cts"),
    "go": (".go",),
    "rust": (".rs",),
    "java": (".java",),
    "c": (".c", ".h"),
    "cpp": (".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx"),
    "csharp": (".cs",),
    "kotlin": (".kt", ".kts"),
    "swift": (".swift",),
    "scala": (".scala",),
    "ruby": (".rb",),
    "php": (".php",),
    "lua": (".lua",),
    "shell": (".sh", ".bash"),
    "sql": (".sql",),
    "vue": (".vue",),
    "svelte": (".svelte",),
}
"""The languages there are, and how their files' names end."""

_BY_EXTENSION = {end: language for language, ends in EXTENSIONS.items() for end in ends}


def language_of(path: str) -> str | None:
    """The language of a file; None if it is none that Midfill learns."""
    return _BY_EXTENSION.get(PurePosixPath(path).suffix.lower())
