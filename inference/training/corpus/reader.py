"""Reading a corpus that was built."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.corpus.manifest import FILES, FORMAT, MANIFEST
from midfill.inference.training.corpus.packages import HELD_OUT, TRAIN
from midfill.inference.training.corpus.source_text import Corpus, SourceText

if TYPE_CHECKING:
    from pathlib import Path

_BUILD = "build one with `midfill corpus build`"
_REBUILD = "build it again with `midfill corpus build`, which keeps what has been fetched"


def read_corpus(folder: Path) -> Corpus:
    """Read a corpus whole, and make sure that it is what was written.

    Raises:
        CorpusUnusable: there is none, or it is unreadable, incomplete, damaged or empty.
    """
    manifest = read_manifest(folder)
    lines = _lines(folder, manifest)
    splits: dict[str, list[SourceText]] = {TRAIN: [], HELD_OUT: []}
    try:
        for line in lines:
            one = json.loads(line)
            text = SourceText(one["package"], one["path"], one["language"], one["text"])
            splits[one["split"]].append(text)
    except (ValueError, LookupError, TypeError) as error:
        raise CorpusUnusable(f"the corpus in {folder} has a damaged {FILES}: {_REBUILD}") from error
    if not splits[TRAIN]:
        raise CorpusUnusable(f"the corpus in {folder} has no files to train on: {_REBUILD}")
    return Corpus(tuple(splits[TRAIN]), tuple(splits[HELD_OUT]))


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a corpus says about itself, without reading its files.

    Raises:
        CorpusUnusable: there is none, or it is unreadable, incomplete or damaged.
    """
    _need_folder(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise CorpusUnusable(
            f"the corpus in {folder} is incomplete (no {MANIFEST}): "
            "finish it with `midfill corpus build`"
        ) from error
    except OSError as error:
        raise _unreadable(folder / MANIFEST, error) from error
    except ValueError as error:
        raise CorpusUnusable(
            f"the corpus in {folder} has a damaged {MANIFEST}: {_REBUILD}"
        ) from error
    if not isinstance(manifest, dict) or "sha256" not in manifest:
        raise CorpusUnusable(f"the corpus in {folder} has a damaged {MANIFEST}: {_REBUILD}")
    if manifest.get("format") != FORMAT:
        raise CorpusUnusable(f"the corpus in {folder} is from another Midfill: {_REBUILD}")
    return manifest


def _need_folder(folder: Path) -> None:
    try:
        if not folder.exists():
            raise CorpusUnusable(f"there is no corpus in {folder}: {_BUILD}")
        if not folder.is_dir():
            raise CorpusUnusable(f"{folder} is not a folder: name the folder of a corpus")
        if not any(folder.iterdir()):
            raise CorpusUnusable(f"{folder} is empty: {_BUILD}")
    except OSError as error:
        raise _unreadable(folder, error) from error


def _lines(folder: Path, manifest: dict[str, Any]) -> list[bytes]:
    try:
        content = (folder / FILES).read_bytes()
    except FileNotFoundError as error:
        raise CorpusUnusable(
            f"the corpus in {folder} is incomplete (no {FILES}): {_REBUILD}"
        ) from error
    except OSError as error:
        raise _unreadable(folder / FILES, error) from error
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise CorpusUnusable(
            f"the corpus in {folder} is damaged ({FILES} is not what {MANIFEST} says): {_REBUILD}"
        )
    # not splitlines, which ends lines at other characters too
    return content.split(b"\n")[:-1]


def _unreadable(path: Path, error: OSError) -> CorpusUnusable:
    return CorpusUnusable(f"{path} cannot be read ({error.strerror or error}): put that right")
