"""The corpus's files on disk: what they are called, and the manifest that says they are whole."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from midfill.inference.downloads.cache_folder import cache_folder
from midfill.inference.training.corpus.disk import written_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from midfill.inference.training.corpus.package_record import PackageRecord
    from midfill.inference.training.corpus.selection import CorpusFile, Selection

FORMAT = 1

FILES, LICENCES, MANIFEST = "files.jsonl", "licences.json", "corpus.json"


def default_folder() -> Path:
    """Where a corpus is kept unless the user names another place."""
    return cache_folder() / "corpus"


def write_corpus(
    folder: Path,
    selection: Selection,
    records: Sequence[PackageRecord],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Write the corpus. Its manifest comes last: without one a corpus is incomplete.

    Returns:
        the manifest.

    Raises:
        OSError: it cannot be written.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    digest = hashlib.sha256()
    with written_whole(folder / FILES) as output:
        for one in selection.files:
            line = json.dumps(_as_json(one), ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            output.write(line)
    _write_json(folder / LICENCES, [_licence(record) for record in _by_key(records)])
    manifest = {
        "format": FORMAT,
        "sha256": digest.hexdigest(),
        "files": len(selection.files),
        "characters": sum(len(one.file.text) for one in selection.files),
        "splits": _counts(selection.files),
        "packages": {
            "used": len({one.package.key for one in selection.files}),
            "refused for their licence": sum(not one.licence.permissive for one in records),
        },
        "dropped": dict(sorted(_dropped(selection, records).items())),
        "notes": list(notes),
    }
    _write_json(folder / MANIFEST, manifest)
    return manifest


def _counts(files: Iterable[CorpusFile]) -> dict[str, dict[str, dict[str, int]]]:
    count: Counter[tuple[str, str]] = Counter()
    characters: Counter[tuple[str, str]] = Counter()
    for one in files:
        key = (one.package.split, one.file.language)
        count[key] += 1
        characters[key] += len(one.file.text)
    splits: dict[str, dict[str, dict[str, int]]] = {}
    for split, language in sorted(count, key=lambda key: (key[0], -characters[key])):
        key = (split, language)
        splits.setdefault(split, {})[language] = {
            "files": count[key],
            "characters": characters[key],
        }
    return splits


def _dropped(selection: Selection, records: Iterable[PackageRecord]) -> Counter[str]:
    total = Counter(selection.dropped)
    for record in records:
        total.update(record.dropped)
    return total


def _as_json(one: CorpusFile) -> dict[str, str]:
    return {
        "package": one.package.name,
        "registry": one.package.registry,
        "version": one.package.version,
        "licence": one.licence.expression,
        "path": one.file.path,
        "language": one.file.language,
        "split": one.package.split,
        "text": one.file.text,
    }


def _licence(record: PackageRecord) -> dict[str, str | bool]:
    return {
        "package": record.package.name,
        "registry": record.package.registry,
        "version": record.package.version,
        "licence": record.licence.expression,
        "evidence": record.licence.evidence,
        "used": record.licence.permissive,
    }


def _by_key(records: Iterable[PackageRecord]) -> list[PackageRecord]:
    return sorted(records, key=lambda record: record.package.key)


def _write_json(path: Path, value: object) -> None:
    with written_whole(path) as output:
        output.write(json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n")
