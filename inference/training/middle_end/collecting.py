"""Reading the frozen model's states off the true text of many holes.

One causal pass a hole. What was read is kept in shards, so that an interrupted run goes on where it
was, and fitting can be repeated at no cost.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from midfill.inference.canvas import Canvas, CanvasLayout
from midfill.inference.models.embedded.end_features import scalar_features
from midfill.inference.progress import Progress
from midfill.inference.training.errors import CheckpointUnusable
from midfill.inference.training.middle_end.holes import EndHole, Kind, identity_of
from midfill.inference.training.middle_end.written import Written, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.models.embedded.end_features import TokenTables
    from midfill.inference.models.interface import DenoisingModel
    from midfill.inference.progress import ProgressListener
    from midfill.inference.tokenizer import Tokenizer

SHARD = 25
"""Holes."""

FORMAT = "1"


@dataclass(frozen=True, slots=True)
class ReadHole:
    """A hole and what the model made of its true text.

    Attributes:
        states: (slots, width) float16, behind the final norm.
        features: (slots, features) float32.
    """

    hole: EndHole
    written: Written
    states: Tensor
    features: Tensor


def read_holes(
    model: DenoisingModel,
    tokenizer: Tokenizer,
    tables: TokenTables,
    holes: Sequence[EndHole],
    folder: Path,
    listener: ProgressListener,
) -> list[ReadHole]:
    """Read holes, or load what was read of them before.

    Args:
        folder: exists; what lies in it is of the same holes.

    Raises:
        CheckpointUnusable: a shard is damaged, or of other holes.
    """
    found: list[ReadHole] = []
    for start in range(0, len(holes), SHARD):
        part = holes[start : start + SHARD]
        path = folder / f"holes-{start:05}.safetensors"
        if not path.exists():
            read = [
                _read(model, tables, hole, tokens)
                for hole in part
                if (tokens := written(tokenizer, hole)) is not None
            ]
            _write_shard(path, part, read)
        found += _read_shard(path, part)
        done = min(start + SHARD, len(holes))
        listener(Progress(f"reading holes: {done} of {len(holes)}", done / len(holes)))
    return found


def _read(model: DenoisingModel, tables: TokenTables, hole: EndHole, tokens: Written) -> ReadHole:
    known = (*tokens.prompt, *tokens.tokens)
    cache = model.new_cache(len(known))
    layout = CanvasLayout(len(known), (len(tokens.prompt) - 1,), 0)
    predictions = model.denoise(Canvas(known, layout), cache)
    return ReadHole(
        hole,
        tokens,
        predictions.known_states.to(torch.float16),
        scalar_features(predictions.logits, tokens.suffix or tokens.prompt[-1:], tables),
    )


def _write_shard(path: Path, holes: Sequence[EndHole], read: Sequence[ReadHole]) -> None:
    tensors = {}
    for i, one in enumerate(read):
        tensors[f"{i}.states"] = one.states.contiguous()
        tensors[f"{i}.features"] = one.features.contiguous()
    about = [{"hole": asdict(one.hole), "written": asdict(one.written)} for one in read]
    metadata = {"format": FORMAT, "holes": identity_of(holes), "read": json.dumps(about)}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def _read_shard(path: Path, holes: Sequence[EndHole]) -> Iterator[ReadHole]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if (metadata.get("format"), metadata.get("holes")) != (FORMAT, identity_of(holes)):
                raise CheckpointUnusable(
                    f"{path} is of other holes: name another folder by --out, or delete it"
                )
            for i, one in enumerate(json.loads(metadata["read"])):
                yield ReadHole(
                    EndHole(**{**one["hole"], "kind": Kind(one["hole"]["kind"])}),
                    _written(one["written"]),
                    file.get_tensor(f"{i}.states"),
                    file.get_tensor(f"{i}.features"),
                )
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        raise CheckpointUnusable(f"{path} is damaged ({error}): delete it") from None


def _written(stored: dict[str, Any]) -> Written:
    return Written(
        prompt=tuple(stored["prompt"]),
        suffix=tuple(stored["suffix"]),
        owed=stored["owed"],
        tokens=tuple(stored["tokens"]),
        end=stored["end"],
    )
