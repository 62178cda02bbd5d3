"""Choosing among all packages' files those that make the corpus."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.training.corpus.deduplication import duplicates
from midfill.inference.training.corpus.packages import HELD_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from midfill.inference.training.corpus.contamination import Overlap
    from midfill.inference.training.corpus.licence_evidence import Licence
    from midfill.inference.training.corpus.package_record import PackageRecord, TakenFile
    from midfill.inference.training.corpus.packages import Package

PACKAGE_SHARE = 800_000
"""Characters that one package gives at most, so that no project's habits dominate."""


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """A file of the corpus, and where it comes from."""

    package: Package
    licence: Licence
    file: TakenFile

    def order(self) -> bytes:
        """Where the file stands in the corpus: anywhere, but always there."""
        source = f"{self.package.key}\0{self.file.path}\0{self.file.text}"
        return hashlib.sha256(source.encode()).digest()


@dataclass(frozen=True, slots=True)
class Selection:
    """The files of the corpus in their order, and how many were left out, by reason."""

    files: tuple[CorpusFile, ...]
    dropped: dict[str, int]


def select(
    records: Iterable[PackageRecord],
    overlap: Overlap,
    languages: tuple[str, ...],
    beat: Callable[[float], None],
) -> Selection:
    """Choose files so that none repeats another, or a problem that Midfill is measured by.

    A file of a held-out package is kept rather than its copy in a package to train on. The result
    does not depend on the order of the records.

    Args:
        languages: files in others are not taken.
        beat: told the share of the work that is done, now and then; may raise, to break off.
    """
    dropped: Counter[str] = Counter()
    candidates = sorted(
        (
            CorpusFile(record.package, record.licence, file)
            for record in records
            for file in record.files
            if file.language in languages
        ),
        key=lambda one: (one.package.split != HELD_OUT, one.package.key, one.file.path),
    )
    clean: list[CorpusFile] = []
    for place, one in enumerate(candidates):
        if place % 64 == 0:
            beat(place / len(candidates) / 2)
        if overlap.contaminates(one.file.text):
            dropped["overlaps a problem"] += 1
        else:
            clean.append(one)
    copies = duplicates([one.file.text for one in clean], lambda share: beat(0.5 + share / 2))
    dropped.update(copies.values())
    unique = sorted(
        (one for place, one in enumerate(clean) if place not in copies), key=CorpusFile.order
    )
    files = _within_shares(unique)
    if len(unique) > len(files):
        dropped["over the package's share"] += len(unique) - len(files)
    return Selection(tuple(files), dict(sorted(dropped.items())))


def _within_shares(files: list[CorpusFile]) -> list[CorpusFile]:
    taken: Counter[str] = Counter()
    kept = []
    for one in files:
        if taken[one.package.key] + len(one.file.text) <= PACKAGE_SHARE:
            taken[one.package.key] += len(one.file.text)
            kept.append(one)
    return kept
