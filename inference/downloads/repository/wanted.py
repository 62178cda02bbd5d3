"""Which files of a repository are fetched: weights that hold nothing but numbers, and their words.

Code and pickles, which can run code, are left where they are.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError, WeightsCorrupt
from midfill.inference.text.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from midfill.inference.downloads.repository.listing import Listing
    from midfill.inference.downloads.repository.remote_file import RemoteFile

TENSORS = ".safetensors"
GGUF = ".gguf"
INDEX = "model.safetensors.index.json"
CONFIG = "config.json"

SMALL = frozenset(
    {
        CONFIG,
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
        "merges.txt",
        "added_tokens.json",
        "special_tokens_map.json",
        "chat_template.jinja",
        "tokenizer.model",
    }
)
"""What is taken beside the weights."""

LICENCES = re.compile(r"(LICEN[CS]E|NOTICE)[\w-]*(\.(txt|md))?", re.IGNORECASE)

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")

NAME = re.compile(r"\w[\w.+=-]*")
"""A file at the root of its repository, whose name no file system takes for anything else."""

SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")


def wanted_files(
    listing: Listing, gguf: str | None = None, have: Collection[str] = ()
) -> tuple[RemoteFile, ...]:
    """Choose from a listing.

    Args:
        gguf: the GGUF file that is asked for; None for what loads best.
        have: names of the files that are here; of several GGUF files it is the one of them.

    Returns:
        Small files first.

    Raises:
        UsageError: there are only pickles, no weights at all, several GGUF files to choose from,
            or not the one that was asked for.
        WeightsCorrupt: it is half a checkpoint.
    """
    files = [file for file in listing.files if NAME.fullmatch(file.name)]
    small = [file for file in files if file.name in SMALL or LICENCES.fullmatch(file.name)]
    tensors = [file for file in files if file.name.endswith(TENSORS)]
    if gguf is not None or not tensors:
        weights = _chosen_gguf(listing, files, gguf, have)
    else:
        weights = _chosen_tensors(listing, files, tensors)
    return (*sorted(small, key=lambda file: file.name), *weights)


def only_indexed(
    listing: Listing, wanted: tuple[RemoteFile, ...], index: Path
) -> tuple[RemoteFile, ...]:
    """Leave out tensors that the index does not name, such as a second copy of the weights.

    Args:
        index: the file that says which tensor is in which file.

    Raises:
        OSError: it cannot be read.
        WeightsCorrupt: it makes no sense, or names a file that is not there.
    """
    try:
        shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        if not all(isinstance(name, str) for name in shards):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WeightsCorrupt(
            f"{listing.repository} is half a checkpoint: its {INDEX} cannot be read; "
            "choose another repository or revision"
        ) from None
    if absent := sorted(shards - {file.name for file in wanted}):
        raise _half(listing, f"its {INDEX} names {one_line(absent[0])}, which is not there")
    return tuple(file for file in wanted if not file.name.endswith(TENSORS) or file.name in shards)


def _chosen_tensors(
    listing: Listing, files: list[RemoteFile], tensors: list[RemoteFile]
) -> list[RemoteFile]:
    names = {file.name for file in files}
    if CONFIG not in names:
        raise _half(listing, f"it has no {CONFIG}")
    if INDEX in names:
        return [next(file for file in files if file.name == INDEX), *tensors]
    if whole := [file for file in tensors if file.name == f"model{TENSORS}"]:
        return whole
    if any(SHARD.search(file.name.removesuffix(TENSORS)) for file in tensors):
        raise _half(listing, f"it has no {INDEX}")
    return tensors


def _chosen_gguf(
    listing: Listing, files: list[RemoteFile], asked: str | None, have: Collection[str]
) -> list[RemoteFile]:
    choices: dict[str, list[RemoteFile]] = {}
    for file in files:
        if file.name.endswith(GGUF) and not file.name.startswith("mmproj"):
            stem = SHARD.sub("", file.name.removesuffix(GGUF))
            choices.setdefault(stem + GGUF, []).append(file)
    known = ", ".join(f"{name} ({_gigabytes(parts)})" for name, parts in choices.items())
    if asked is not None:
        for name, parts in choices.items():
            if asked in (name, *(part.name for part in parts)):
                return _all_parts(listing, parts)
        raise UsageError(
            f"{listing.repository} has no GGUF file {asked!r}; it has: {known or 'none'}"
        )
    if not choices:
        raise _no_weights(listing)
    if len(choices) > 1:
        here = [parts for parts in choices.values() if all(part.name in have for part in parts)]
        if len(here) != 1:
            raise UsageError(
                f"{listing.repository} has several GGUF files: choose one with --file, of {known}"
            )
        return _all_parts(listing, here[0])
    return _all_parts(listing, next(iter(choices.values())))


def _all_parts(listing: Listing, parts: list[RemoteFile]) -> list[RemoteFile]:
    numbered = SHARD.search(parts[0].name.removesuffix(GGUF))
    if numbered and len(parts) != int(numbered[2]):
        raise _half(listing, f"it has {len(parts)} of {int(numbered[2])} parts of a GGUF file")
    return parts


def _no_weights(listing: Listing) -> UsageError:
    pickles = [file.name for file in listing.files if file.name.endswith(PICKLES)]
    if pickles:
        return UsageError(
            f"{listing.repository} has its weights only as pickles ({pickles[0]!r}), which can run "
            "code and are never loaded: choose a repository with safetensors or GGUF files"
        )
    return UsageError(
        f"{listing.repository} has no safetensors or GGUF files at its root: "
        "choose a repository with weights in it"
    )


def _half(listing: Listing, what: str) -> WeightsCorrupt:
    return WeightsCorrupt(
        f"{listing.repository} is half a checkpoint: {what}; choose another repository or revision"
    )


def _gigabytes(parts: list[RemoteFile]) -> str:
    return f"{sum(part.size for part in parts) / 1e9:.1f} GB"
