"""Saving a run so that it can be interrupted anywhere and go on as if it had not been.

A checkpoint is written whole beside the last one and then takes its name, so the last good one
survives a full disk and a killed process.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from midfill.inference.downloads.cache_folder import FULL
from midfill.inference.errors import MidfillError, NoSpace
from midfill.inference.training.errors import CheckpointUnusable

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

NAME = "checkpoint.safetensors"
FORMAT = "1"


@dataclass(slots=True)
class RunState:
    """How far a run has come.

    Attributes:
        recipe: of the run, as JSON.
        rounds: rollouts gone through.
        steps: optimiser steps made.
        targets: mask slots trained.
        seconds: spent training.
        history: a measurement after every so many targets.
        parameters, averaged: the adapter's float32 tensors, and their moving averages.
        moments: the optimiser's, ``{name}.first`` and ``{name}.second``.
        guess_tokens: (guessable,) long.
    """

    recipe: str
    parameters: dict[str, Tensor]
    averaged: dict[str, Tensor]
    guess_tokens: Tensor
    moments: dict[str, Tensor] = field(default_factory=dict)
    rounds: int = 0
    steps: int = 0
    targets: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


_FIGURES = ("rounds", "steps", "targets", "seconds", "history", "recipe")
_GROUPS = ("parameters", "averaged", "moments")


def write_checkpoint(folder: Path, state: RunState) -> None:
    """Replace the folder's checkpoint.

    Raises:
        NoSpace: the disk is full; the last checkpoint is still there.
        MidfillError: the folder cannot be written.
    """
    tensors = {
        f"{group}.{name}": tensor.detach().contiguous()
        for group in _GROUPS
        for name, tensor in getattr(state, group).items()
    }
    tensors["guess_tokens"] = state.guess_tokens
    figures = {name: getattr(state, name) for name in _FIGURES}
    partial = folder / f"{NAME}.partial"
    try:
        save_file(tensors, partial, {"format": FORMAT, "figures": json.dumps(figures)})
        partial.replace(folder / NAME)
    except (OSError, SafetensorError) as error:
        if _is_full(error):
            raise NoSpace(
                f"the disk of {folder} is full: make room and run the same command again; "
                "it goes on from the last checkpoint, which is still there"
            ) from error
        raise MidfillError(f"no checkpoint can be written to {folder} ({error})") from error
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint(folder: Path) -> RunState | None:
    """The folder's checkpoint, if it has one.

    Raises:
        CheckpointUnusable: it is damaged or of another version.
    """
    path = folder / NAME
    if not path.exists():
        return None
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in _GROUPS}
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise CheckpointUnusable(
                    f"{path} is from another version of Midfill: name another folder by --out"
                )
            figures = json.loads(metadata["figures"])
            guess_tokens = file.get_tensor("guess_tokens")
            for key in file.keys():  # noqa: SIM118
                group, _, name = key.partition(".")
                if group in groups:
                    groups[group][name] = file.get_tensor(key)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointUnusable(
            f"{path} is damaged ({error}): delete it to start again, "
            "or name another folder by --out"
        ) from None
    fields: dict[str, Any] = {**groups, **figures}
    return RunState(**fields, guess_tokens=guess_tokens)


def need_same_shapes(state: RunState, expected: dict[str, torch.Size], folder: Path) -> None:
    """
    Raises:
        CheckpointUnusable: the checkpoint's adapter has other tensors than the recipe's.
    """
    found = {name: tensor.shape for name, tensor in state.parameters.items()}
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            raise CheckpointUnusable(
                f"the checkpoint in {folder} is of another shape than the recipe: {name} is "
                f"{_shape(found.get(name))} there and {_shape(expected.get(name))} here; "
                "use its recipe, or name another folder by --out"
            )


def _shape(size: torch.Size | None) -> str:
    return "missing" if size is None else "×".join(str(length) for length in size)


def _is_full(error: BaseException) -> bool:
    """safetensors reports the operating system's error as text."""
    number = getattr(error, "errno", None)
    return number in FULL or any(
        sign in str(error) for sign in ("No space left", "os error 28", "quota")
    )
