"""Reading somebody's own repository, to train on its style."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from midfill.inference.exclusion.policy import ExclusionPolicy
from midfill.inference.training.corpus.deduplication import duplicates
from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.corpus.filters import (
    LARGEST_BYTES,
    reason_against_path,
    text_or_reason,
)
from midfill.inference.training.corpus.languages import language_of
from midfill.inference.training.corpus.source_text import Corpus, SourceText

HELD_OUT_SHARE = 0.1

MOST_FILES = 50_000
"""More source files than any repository that is meant."""

FEWEST_FILES = 2
"""One to train on, and one to measure on."""


def read_repository(folder: Path, seed: int = 0) -> Corpus:
    """Read the source files of a repository, and hold about a tenth of them out.

    Left alone are what is excluded anywhere else (secrets by their names, and what ``.gitignore``
    and ``.midfillignore`` name), hidden folders, links, vendored and generated files, copies, and
    files that are no readable UTF-8 text of a sensible size.

    Args:
        folder: the repository, or a folder in it.
        seed: another one holds other files out.

    Raises:
        CorpusUnusable: the folder cannot be read, or has fewer than two usable source files.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - links in the name stay
    _need_folder(folder)
    texts = [text for path in _source_files(folder) if (text := _source_text(path, folder))]
    copies = duplicates([text.text for text in texts])
    usable = [text for place, text in enumerate(texts) if place not in copies]
    if len(usable) < FEWEST_FILES:
        raise CorpusUnusable(
            f"{folder} has {len(usable) or 'no'} source file{'s' * (len(usable) != 1)} to learn "
            f"from and {FEWEST_FILES} are needed: ignored, generated, vendored, tiny and huge "
            "files do not count"
        )
    usable.sort(key=lambda text: hashlib.sha256(f"{seed}:{text.path}".encode()).digest())
    count = max(1, round(len(usable) * HELD_OUT_SHARE))
    return Corpus(train=tuple(usable[count:]), held_out=tuple(usable[:count]))


def _need_folder(folder: Path) -> None:
    try:
        if not folder.exists():
            raise CorpusUnusable(f"{folder} does not exist: name the folder of a repository")
        if not folder.is_dir():
            raise CorpusUnusable(f"{folder} is not a folder: name the folder of a repository")
        next(iter(folder.iterdir()), None)
    except OSError as error:
        raise CorpusUnusable(
            f"{folder} cannot be read ({error.strerror or error}): put that right"
        ) from error


def _source_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    pending = [folder]
    policy, open_folders = ExclusionPolicy(), (str(folder),)
    while pending:
        inside = pending.pop()
        try:
            entries = sorted(os.scandir(inside), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = Path(entry.path)
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder:
                wanted = not entry.name.startswith(".") and not reason_against_path(
                    f"{entry.name}/file"
                )
            else:
                wanted = entry.is_file(follow_symlinks=False) and bool(language_of(entry.name))
            if not wanted or policy.reason_against(entry.path, open_folders, is_folder=is_folder):
                continue
            if is_folder:
                pending.append(path)
            else:
                found.append(path)
                if len(found) > MOST_FILES:
                    raise CorpusUnusable(
                        f"{folder} has more than {MOST_FILES} source files: name a folder inside it"
                    )
    return sorted(found)


def _source_text(path: Path, folder: Path) -> SourceText | None:
    relative = path.relative_to(folder).as_posix()
    language = language_of(relative)
    try:
        if language is None or path.stat().st_size > LARGEST_BYTES:
            return None
        text, _ = text_or_reason(relative, path.read_bytes())
    except OSError:
        return None
    return SourceText(folder.name, relative, language, text) if text is not None else None
