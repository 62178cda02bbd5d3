"""Taking from a fetched package what the corpus wants of it."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from midfill.inference.training.corpus.archives import read_archive
from midfill.inference.training.corpus.filters import text_or_reason
from midfill.inference.training.corpus.languages import language_of
from midfill.inference.training.corpus.package_record import PackageRecord, TakenFile

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.training.corpus.archives import Member
    from midfill.inference.training.corpus.packages import Package
    from midfill.inference.training.corpus.registries import Registry


def take(package: Package, archive: Path, registry: Registry) -> PackageRecord:
    """Read a package's licence, and its source files if that allows it.

    Raises:
        DownloadFailed: the archive is damaged.
    """

    def is_wanted(path: str) -> bool:
        return registry.tells_licence(path) or _is_wanted(registry.source_path(path), package)

    wanted = list(read_archive(archive, is_wanted))
    licence = registry.licence([one for one in wanted if registry.tells_licence(one.path)])
    if not licence.permissive:
        return PackageRecord(package, licence, ())
    files, dropped = _filtered(package, registry, wanted)
    return PackageRecord(package, licence, files, dict(sorted(dropped.items())))


def _filtered(
    package: Package, registry: Registry, members: list[Member]
) -> tuple[tuple[TakenFile, ...], Counter[str]]:
    files: list[TakenFile] = []
    dropped: Counter[str] = Counter()
    for member in sorted(members, key=lambda one: one.path):
        path = registry.source_path(member.path)
        language = language_of(path)
        if language is None or not _is_wanted(path, package):
            continue
        text, reason = text_or_reason(path, member.data)
        if text is None:
            dropped[str(reason)] += 1
        else:
            files.append(TakenFile(path, language, text))
    return tuple(files), dropped


def _is_wanted(path: str, package: Package) -> bool:
    if package.only and not any(fnmatchcase(path, pattern) for pattern in package.only):
        return False
    return language_of(path) in package.languages
