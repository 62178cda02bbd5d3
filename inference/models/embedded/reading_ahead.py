"""What can be read while torch is imported, which takes longest and keeps one core busy.

The tokenizer is read in a thread beside it, and the system told that the weights are wanted soon.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from threading import Lock, Thread
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError
from midfill.inference.models.embedded import prepare
from midfill.inference.models.embedded.files import embedded_folder
from midfill.inference.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

_lock = Lock()
_under_way: dict[tuple[Path, int], Future[Tokenizer]] = {}
"""By path and time of the last change, so that none is used that has been made anew since."""


def read_ahead() -> None:
    """Begin, where the files have been pulled. Returns at once and raises nothing."""
    try:
        folder = embedded_folder().path
        tokenizer = folder / prepare.TOKENIZER.name
        version = _version(tokenizer)
    except (OSError, MidfillError):  # not pulled yet, or not to be had; loading says so
        return
    with _lock:
        if version in _under_way:
            return
        future = _under_way[version] = Future()
    Thread(target=_read, args=(tokenizer, folder, future), daemon=True).start()


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer that was read ahead, or else is read now.

    Raises:
        WeightsCorrupt: it is not one, or lacks the markers.
    """
    with _lock:
        future = _under_way.pop(_version(path), None) if path.exists() else None
    return Tokenizer(path) if future is None else future.result()


def _version(path: Path) -> tuple[Path, int]:
    return path, path.stat().st_mtime_ns


def _read(path: Path, folder: Path, future: Future[Tokenizer]) -> None:
    _want(folder / prepare.INT8_WEIGHTS.name)
    try:
        tokenizer = Tokenizer(path)
        tokenizer.vocabulary_bytes  # noqa: B018 (kept from then on)
    except Exception as error:  # whoever asks for it is told
        future.set_exception(error)
    else:
        future.set_result(tokenizer)


def _want(weights: Path) -> None:
    try:
        file = os.open(weights, os.O_RDONLY)
    except OSError:
        return
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)
    except (OSError, AttributeError):  # only some systems can be told
        pass
    finally:
        os.close(file)
