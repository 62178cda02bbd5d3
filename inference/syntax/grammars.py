"""Which grammar reads a document: by the editor's name of its language, else by the file's name."""

from __future__ import annotations

from pathlib import PurePosixPath

_BY_LANGUAGE = {
    "python": "python",
    "javascript": "javascript",
    "javascriptreact": "javascript",
    "typescript": "typescript",
    "typescriptreact": "tsx",
    "go": "go",
    "rust": "rust",
    "java": "java",
    "c": "c",
    "cpp": "cpp",
    "cuda-cpp": "cpp",
    "objective-c": "objc",
    "csharp": "csharp",
    "cs": "csharp",
    "ruby": "ruby",
    "php": "php",
    "shellscript": "bash",
    "sh": "bash",
    "bash": "bash",
    "zsh": "bash",
    "lua": "lua",
    "html": "html",
    "css": "css",
    "scss": "scss",
    "sql": "sql",
    "json": "json",
    "jsonc": "json",
    "yaml": "yaml",
    "toml": "toml",
    "markdown": "markdown",
    "kotlin": "kotlin",
    "swift": "swift",
    "scala": "scala",
    "dart": "dart",
    "r": "r",
    "julia": "julia",
    "haskell": "haskell",
    "elixir": "elixir",
    "zig": "zig",
    "perl": "perl",
    "make": "make",
    "makefile": "make",
    "dockerfile": "dockerfile",
}
"""From LSP language identifiers, and the file types of editors that send those instead."""

_BY_ENDING = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".cjs": "javascript",
    ".mjs": "javascript",
    ".jsx": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".hh": "cpp",
    ".hpp": "cpp",
    ".cs": "csharp",
    ".rb": "ruby",
    ".php": "php",
    ".sh": "bash",
    ".bash": "bash",
    ".lua": "lua",
    ".html": "html",
    ".htm": "html",
    ".css": "css",
    ".scss": "scss",
    ".sql": "sql",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".md": "markdown",
    ".kt": "kotlin",
    ".swift": "swift",
    ".scala": "scala",
    ".dart": "dart",
    ".r": "r",
    ".jl": "julia",
    ".hs": "haskell",
    ".ex": "elixir",
    ".exs": "elixir",
    ".zig": "zig",
    ".pl": "perl",
}


def grammar_for(language: str, name: str = "") -> str | None:
    """The name of the grammar for a document, or None if there is none for it.

    Args:
        language: the editor's identifier of the language; may be empty or unknown.
        name: the file's name, path or URI.
    """
    by_language = _BY_LANGUAGE.get(language.lower())
    return by_language or _BY_ENDING.get(PurePosixPath(name).suffix.lower())
