"""Versions of files, from the history of a git repository."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LANGUAGES = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".jsx": "javascriptreact",
    ".ts": "typescript",
    ".tsx": "typescriptreact",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".hpp": "cpp",
    ".cs": "csharp",
    ".rb": "ruby",
    ".php": "php",
    ".sh": "shellscript",
    ".lua": "lua",
    ".html": "html",
    ".css": "css",
    ".sql": "sql",
    ".toml": "toml",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".md": "markdown",
}
"""An editor's names for the languages of files."""

FEWEST_NEW, MOST_NEW, MOST_GONE = 3, 80, 60
"""Lines that a commit adds to a file and takes from it, for its edit to be a moderate one."""

LONGEST = 200_000
"""Characters of a file."""


class NoHistory(Exception):
    """There is nothing to make traces of; the message says why."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A file before and after a commit."""

    path: str
    language: str
    commit: str
    before: str
    after: str


def repository_root(folder: Path) -> str:
    """Raises: NoHistory: it is not in a git repository."""
    return _git(folder, "rev-parse", "--show-toplevel").strip()


def revisions(folder: Path, patterns: Sequence[str], seed: int) -> Iterator[Revision]:
    """Moderate edits of single files, in an order that the seed decides.

    Args:
        patterns: of files, as git understands them; every known language without any.

    Raises:
        NoHistory: there is no repository, or no such edit in it.
    """
    found = sorted(set(_moderate(folder, patterns)))
    if not found:
        raise NoHistory(f"no commit in {folder} edits a file of that kind moderately")
    Random(seed).shuffle(found)
    for commit, path in found:
        before = _text(folder, f"{commit}^:{path}")
        after = _text(folder, f"{commit}:{path}")
        if before and after:
            suffix = path[path.rfind(".") :]
            yield Revision(path, LANGUAGES[suffix], commit, before, after)


def _moderate(folder: Path, patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    log = _git(
        folder,
        *("log", "--no-merges", "--no-renames", "--diff-filter=M", "--numstat", "--format=%H"),
        *("--", *(patterns or [f"*{suffix}" for suffix in LANGUAGES])),
    )
    commit = ""
    for line in log.splitlines():
        match line.split("\t"):
            case [new, gone, path] if new.isdigit() and gone.isdigit():
                known = path[path.rfind(".") :] in LANGUAGES and not path.startswith('"')
                if known and FEWEST_NEW <= int(new) <= MOST_NEW and int(gone) <= MOST_GONE:
                    yield commit, path
            case [other] if other:
                commit = other


def _text(folder: Path, name: str) -> str | None:
    """A stored file, if it is text with line feeds that an editor can show."""
    content = _run(folder, "show", name)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    fit = len(text) <= LONGEST and "\0" not in text and "\r" not in text
    return text if fit else None


def _git(folder: Path, *arguments: str) -> str:
    return _run(folder, *arguments).decode(errors="replace")


def _run(folder: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(folder), "-c", "core.quotepath=off", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise NoHistory("git is needed, and was not found") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise NoHistory(f"git says: {lines[-1] if lines else 'nothing'}")
    return done.stdout
