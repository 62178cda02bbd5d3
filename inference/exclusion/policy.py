"""Whether Midfill may read a file, and if not, why."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from midfill.inference.exclusion.built_in import built_in_pattern
from midfill.inference.exclusion.ignore_rules import (
    IgnoreFiles,
    IgnoreRules,
    folders_above,
    repository_around,
)
from midfill.inference.exclusion.names import LinksInACircle, names_of
from midfill.inference.exclusion.patterns import Patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UserRules:
    """What the user's own settings say, in the syntax of ``.gitignore``.

    Attributes:
        exclude: patterns of files never to read, besides all others.
        include: patterns of files to read though they look like secrets or Git ignores them.
        gitignore: whether what Git ignores is left out.
    """

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    gitignore: bool = True


class ExclusionPolicy:
    """Decides by a file's names alone; its content is never looked at.

    The first of these that is about a file decides: what the user excludes, what a
    ``.midfillignore`` says, what the user includes, the built-in patterns, what a ``.gitignore``
    says. But a ``.midfillignore`` that takes a file in again overrules only ``.gitignore``.
    """

    def __init__(
        self, rules: UserRules | None = None, complain: Callable[[str], None] = log.warning
    ) -> None:
        """
        Args:
            complain: hears a sentence on every pattern or ignore file that something is wrong with.
        """
        self.rules = rules or UserRules()
        self._complain = complain
        self.ignore_files = IgnoreFiles(complain)

    def reason_against(
        self, path: str, folders: Sequence[str] = (), *, is_folder: bool = False
    ) -> str | None:
        """Why a file is excluded, in words that go on after "excluded: "; None if it may be read.

        Args:
            path: absolute, or of a document without a folder just its name.
            folders: those open in the editor; ``.gitignore`` counts in them and in repositories.
            is_folder: it is about all that lies in a folder.
        """
        if "\0" in path:
            return "no file has such a name"
        try:
            names = names_of(path)
            roots = [name for folder in folders for name in names_of(folder)]
            for name in names:
                if reason := self._reason_against_name(name, roots, is_folder):
                    return reason if name == names[0] else f"it leads to {name}: {reason}"
        except LinksInACircle:
            return "its links lead in a circle"
        except (OSError, ValueError) as error:
            return f"its folders cannot be looked at ({type(error).__name__})"
        return None

    def _reason_against_name(
        self, path: Path, roots: Sequence[Path], is_folder: bool
    ) -> str | None:
        if _about(self._exclude, path, roots, is_folder):
            return "the setting midfill.exclude names it"
        included = _about(self._include, path, roots, is_folder)
        if not included and (reason := _built_in_reason(path, is_folder)):
            return reason
        if not path.is_absolute():
            return None
        git = self.rules.gitignore and not included
        return self._ignored(path, roots, is_folder, git=git)

    def _ignored(
        self, path: Path, roots: Sequence[Path], is_folder: bool, *, git: bool
    ) -> str | None:
        tops = [root for root in roots if root in path.parents]
        if repository := repository_around(path):
            tops.append(repository)
        top = min(tops, key=lambda top: len(top.parts), default=None) if git else None
        rules = IgnoreRules()
        for folder, inner in folders_above(path):
            known_to_git = top is not None and folder.is_relative_to(top)
            rules = rules.within(folder, self.ignore_files.read, git=known_to_git)
            if reason := rules.reason_against(inner, is_folder=is_folder or inner != path):
                return reason
        return None

    @cached_property
    def _exclude(self) -> Patterns:
        return self._compiled("exclude", self.rules.exclude)

    @cached_property
    def _include(self) -> Patterns:
        return self._compiled("include", self.rules.include)

    def _compiled(self, setting: str, lines: Sequence[str]) -> Patterns:
        patterns = Patterns(lines, any_case=True)
        for number in patterns.broken:
            self._complain(f"midfill.{setting} has no valid pattern at place {number}.")
        return patterns


def _about(patterns: Patterns, path: Path, roots: Iterable[Path], is_folder: bool) -> bool:
    """Whether patterns mean a file, seen from a folder that is open or from the topmost of all."""
    seen = [path.relative_to(root) for root in roots if root in path.parents]
    seen.append(path.relative_to(path.anchor))
    for relative in seen:
        verdict = patterns.verdict(relative.as_posix(), is_folder=is_folder)
        if verdict is not None and verdict.excluded:
            return True
    return False


@lru_cache(maxsize=4096)
def _built_in_reason(path: Path, is_folder: bool) -> str | None:
    """By the file's own name, and by those of all folders that it lies in."""
    for name in reversed([path, *path.parents]):
        pattern = built_in_pattern(name.as_posix(), is_folder=is_folder or name != path)
        if pattern:
            return f"{pattern} is a built-in pattern of files with secrets"
    return None
