"""The adapter: everything about mask slots that the base model does not know.

Mask slots enter the base at its entry layer, as copies of the state of the known slot that they
stand behind plus a mask embedding; below it there are none. From there on low-rank updates act on
them, and behind the last layer the sampler head turns their states into guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.embedded.sampler_head import SamplerHead
from midfill.kernels.adapted_linear import LowRank

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.models.embedded.architecture import Architecture

FORMAT = "2"

PROJECTIONS = ("q", "k", "v", "o", "gate", "up", "down")


@dataclass(frozen=True, slots=True)
class LayerAdapter:
    """Low-rank updates of one layer; projections that share an input are one."""

    qkv: LowRank | None
    o: LowRank | None
    gate_up: LowRank | None
    down: LowRank | None


UNADAPTED = LayerAdapter(None, None, None, None)
"""A layer that no mask slot passes through."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What makes the base fill mask slots.

    Attributes:
        entry_layer: the first layer that mask slots pass through.
        layers: one for each layer from the entry layer on.
        mask_embeddings: (masks, width); row ``j`` for the ``j``-th mask of a group.
        sampler: turns mask states into guesses.
        guess_tokens: (guessable,) long, the tokens that can be guessed.
    """

    entry_layer: int
    layers: tuple[LayerAdapter, ...]
    mask_embeddings: Tensor
    sampler: SamplerHead
    guess_tokens: Tensor

    @property
    def masks(self) -> int:
        """How many masks of a group it was taught to fill."""
        return self.mask_embeddings.shape[0]


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """An adapter as it is stored: named tensors, and what the file says about itself."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def tensor_shapes(
    shape: Architecture, *, entry_layer: int, rank: int, masks: int, sampler_width: int
) -> dict[str, tuple[int, ...]]:
    """The trainable tensors of an adapter file and their shapes.

    ``layers.{i}.{projection}.lora_A`` is (width_in, rank) and ``lora_B`` (rank, width_out).
    """
    widths = {
        "q": (shape.width, shape.query_width),
        "k": (shape.width, shape.key_width),
        "v": (shape.width, shape.key_width),
        "o": (shape.query_width, shape.width),
        "gate": (shape.width, shape.feed_forward),
        "up": (shape.width, shape.feed_forward),
        "down": (shape.feed_forward, shape.width),
    }
    shapes: dict[str, tuple[int, ...]] = {"mask_embeddings": (masks, shape.width)}
    for i in range(entry_layer, shape.layers):
        for name, (inner, outer) in widths.items():
            shapes[f"layers.{i}.{name}.lora_A"] = (inner, rank)
            shapes[f"layers.{i}.{name}.lora_B"] = (rank, outer)
    for name in ("mask", "token", "state"):
        shapes[f"sampler.{name}"] = (shape.width, sampler_width)
    shapes["sampler.out"] = (sampler_width, shape.width)
    return shapes


def read_adapter(path: Path) -> AdapterFile:
    """Read an adapter file.

    Raises:
        WeightsCorrupt: it is missing, truncated, no safetensors file or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsCorrupt(f"the adapter {path} cannot be read ({error})") from None
    if metadata.get("format") != FORMAT:
        raise WeightsCorrupt(
            f"the adapter {path} is of format {metadata.get('format', '1')}, "
            f"and this version reads format {FORMAT}: train it again"
        )
    return AdapterFile(tensors, metadata)


def assemble_adapter(
    file: AdapterFile, shape: Architecture, *, dtype: torch.dtype, device: torch.device
) -> Adapter:
    """Put an adapter onto a device.

    Raises:
        WeightsCorrupt: a tensor is missing or has another shape.
    """
    tensors = file.tensors
    masks = tensors.get("mask_embeddings")
    hidden = tensors.get("sampler.out")
    entry_layer = int(file.metadata.get("entry_layer", "-1"))
    first = tensors.get(f"layers.{entry_layer}.q.lora_A")
    if masks is None or hidden is None or first is None or "guess_tokens" not in tensors:
        raise WeightsCorrupt("the adapter lacks tensors; install Midfill again")
    expected = tensor_shapes(
        shape,
        entry_layer=entry_layer,
        rank=first.shape[1],
        masks=masks.shape[0],
        sampler_width=hidden.shape[0],
    )
    for name, wanted in expected.items():
        if name not in tensors:
            raise WeightsCorrupt(f"the adapter lacks {name}; install Midfill again")
        if tuple(tensors[name].shape) != wanted:
            raise WeightsCorrupt(
                f"the adapter's {name} has shape {tuple(tensors[name].shape)}, not {wanted}; "
                "install Midfill again"
            )

    def put(name: str) -> Tensor:
        # A copy, so that nothing keeps the adapter's file mapped.
        return tensors[name].to(device, dtype, copy=True)

    def low_rank(layer: int, *names: str) -> LowRank:
        """Updates of projections that share an input, side by side as one."""
        stems = [f"layers.{layer}.{name}" for name in names]
        return LowRank(
            torch.cat([put(f"{stem}.lora_A") for stem in stems], dim=1),
            torch.block_diag(*(put(f"{stem}.lora_B") for stem in stems)),  # type: ignore[no-untyped-call]
        )

    return Adapter(
        entry_layer=entry_layer,
        layers=tuple(
            LayerAdapter(
                qkv=low_rank(i, "q", "k", "v"),
                o=low_rank(i, "o"),
                gate_up=low_rank(i, "gate", "up"),
                down=low_rank(i, "down"),
            )
            for i in range(entry_layer, shape.layers)
        ),
        mask_embeddings=put("mask_embeddings"),
        sampler=SamplerHead(
            put("sampler.mask"), put("sampler.token"), put("sampler.state"), put("sampler.out")
        ),
        guess_tokens=tensors["guess_tokens"].to(device, torch.long, copy=True),
    )
