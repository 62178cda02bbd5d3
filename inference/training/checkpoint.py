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

from midfill.inference.training.errors import CheckpointUnusable
from midfill.inference.training.whole_file import written_whole

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

NAME = "checkpoint.safetensors"
FORMAT = "1"

START_AGAIN = "start again by --restart, or name another folder by --out"


@dataclass(slots=True)
class RunState:
    """How far a run has come.

    Attributes:
        recipe: of the run, as JSON.
        corpus: the fingerprint of what it learns from.
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
    corpus: str = ""
    moments: dict[str, Tensor] = field(default_factory=dict)
    rounds: int = 0
    steps: int = 0
    targets: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


_FIGURES = ("rounds", "steps", "targets", "seconds", "history", "recipe", "corpus")
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
    with written_whole(folder / NAME) as partial:
        save_file(tensors, partial, {"format": FORMAT, "figures": json.dumps(figures)})


def read_checkpoint(folder: Path) -> RunState | None:
    """The folder's checkpoint, if it has one.

    Raises:
        CheckpointUnusable: it is damaged or of another version.
    """
    path = folder / NAME
    if not path.exists():
        return None
    groups: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise CheckpointUnusable(
                    f"{path} is from another version of Midfill: {START_AGAIN}"
                )
            figures = json.loads(metadata["figures"])
            guess_tokens = file.get_tensor("guess_tokens").clone()
            for key in file.keys():  # noqa: SIM118
                group, _, name = key.partition(".")
                if group in groups:
                    # A copy: training changes it in place, and the file is soon replaced.
                    groups[group][name] = file.get_tensor(key).clone()
        fields: dict[str, Any] = {**groups, **figures}
        return RunState(**fields, guess_tokens=guess_tokens)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointUnusable(f"{path} is damaged ({reason}): {START_AGAIN}") from None


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
                f"go on with its own recipe, {START_AGAIN}"
            )


def _shape(size: torch.Size | None) -> str:
    return "missing" if size is None else "×".join(str(length) for length in size)
