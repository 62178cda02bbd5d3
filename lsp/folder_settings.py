"""``.midfill.toml``: what a folder of the workspace asks for.

It comes with the code, from whoever wrote that; so it may say how suggestions behave, and nothing
about what is read, run or sent where.
"""

from __future__ import annotations

import stat
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from midfill.lsp.settings import read_layer
from midfill.lsp.settings_rules import LANGUAGES, RULES, Layer

if TYPE_CHECKING:
    from pathlib import Path

NAME = ".midfill.toml"
LARGEST = 64 * 1024
"""Bytes."""

SECONDS = 1.0
"""So long a file is taken to be as it was."""

Fingerprint = tuple[int, int, int]

NO_EXCLUSIONS = ("exclude", "include", "excludeGitignored")


@dataclass(slots=True)
class _Read:
    fingerprint: Fingerprint | None
    layer: Layer
    looked: float


class FolderSettings:
    """The files read so far; each is read again once it has changed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._files: dict[Path, _Read] = {}

    def layers(self, path: Path, root: Path) -> list[Layer]:
        """What the folders from ``root`` down to that of ``path`` say; the innermost last."""
        if not path.is_relative_to(root):
            return [self._layer(root, root)]
        inner = [folder for folder in path.parents if folder.is_relative_to(root)]
        return [self._layer(folder, root) for folder in (*reversed(inner or [root]),)]

    def forget(self) -> None:
        """Look at every file anew."""
        for read in self._files.values():
            read.looked = -SECONDS

    def _layer(self, folder: Path, root: Path) -> Layer:
        path = folder / NAME
        now = self._clock()
        known = self._files.get(path)
        if known and now - known.looked < SECONDS:
            return known.layer
        fingerprint = _fingerprint(path)
        if known and known.fingerprint == fingerprint:
            known.looked = now
            return known.layer
        layer = Layer() if fingerprint is None else read_file(path, root)
        self._files[path] = _Read(fingerprint, layer, now)
        return layer


def read_file(path: Path, root: Path) -> Layer:
    """Read one file; whatever is wrong with it is a complaint of the layer."""
    try:
        options = tomllib.loads(_text(path, root))
    except tomllib.TOMLDecodeError as error:
        return _complaint(path, f"it is not valid TOML: {error}")
    except UnicodeDecodeError:
        return _complaint(path, "it is not UTF-8")
    except OSError as error:
        return _complaint(path, error.strerror or "it cannot be read")
    except ValueError as error:
        return _complaint(path, str(error))
    options, refused = _permitted(options)
    layer = read_layer(options, "")
    said = (f"{path}: {sentence}" for sentence in (*refused, *layer.complaints))
    return Layer(layer.general, layer.languages, tuple(said))


def _text(path: Path, root: Path) -> str:
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError("it is a link out of the workspace")
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 1024} KiB")
    return data.decode()


def _permitted(options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Without what a workspace may not decide, and a sentence on each of these."""
    permitted = dict(options)
    refused = []
    for name in options:
        rule = RULES.get(name)
        if name in NO_EXCLUSIONS:
            refused.append(f"{name} is for your own settings; a folder has .midfillignore.")
            del permitted[name]
        elif name in ("endpoint", "token", "command") or (rule and not rule.for_a_language):
            refused.append(f"{name} is for your own settings alone.")
            del permitted[name]
    tables = permitted.get(LANGUAGES)
    inner = tables.values() if isinstance(tables, Mapping) else ()
    if any(
        table.get("enabled") is True for table in (options, *inner) if isinstance(table, Mapping)
    ):
        refused.append("enabled can only be false: a folder cannot switch Midfill on.")
        permitted = _without_enabling(permitted)
    return permitted, refused


def _without_enabling(options: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in options.items() if not _enables(name, value)}
    if isinstance(tables := kept.get(LANGUAGES), Mapping):
        kept[LANGUAGES] = {
            language: _without_enabling(table) if isinstance(table, Mapping) else table
            for language, table in tables.items()
        }
    return kept


def _enables(name: str, value: object) -> bool:
    return name == "enabled" and value is True


def _complaint(path: Path, sentence: str) -> Layer:
    return Layer(complaints=(f"{path}: {sentence}.",))


def _fingerprint(path: Path) -> Fingerprint | None:
    """None if there is nothing of that name."""
    try:
        status = path.stat()
    except OSError:
        try:
            status = path.lstat()  # a link that leads nowhere is worth a word
        except OSError:
            return None
    return status.st_mtime_ns, status.st_size, status.st_ino
