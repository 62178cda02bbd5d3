"""The models that can be used, the state each is in, and where each would fit.

Never imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.downloads.model_folder import State
from midfill.inference.downloads.repository.remains import all_remains
from midfill.inference.downloads.repository.snapshots import all_snapshots
from midfill.inference.models.catalog import EMBEDDED
from midfill.inference.models.known import KNOWN, known_model
from midfill.inference.models.machine_memory import WeightBytes, fits, weight_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.downloads.repository.remains import Remains
    from midfill.inference.downloads.repository.snapshots import Snapshot
    from midfill.inference.models.known import KnownModel
    from midfill.inference.models.machine_memory import Fit, Memory

_EMBEDDED_BYTES = weight_bytes(494_000_000)

_TENSORS = ".safetensors"

DAMAGED = "damaged"
"""The state of a folder that is no model."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model, or one commit of a model that was pulled.

    Attributes:
        name: as ``--model`` takes it.
        state: a `State`, or `DAMAGED`.
        size: bytes on the disk, or to fetch.
        exact: whether those are known, rather than computed from the number of parameters.
        licence: as its publisher gave it; empty if that is not known.
        commit: of a snapshot; empty for others.
        weights: what it takes in memory, if known.
        fits: where it fits, and in which form.
        description: one line.
    """

    name: str
    state: str
    size: int
    exact: bool
    licence: str
    commit: str
    weights: WeightBytes | None
    fits: tuple[Fit, ...]
    description: str


def overview(memories: Sequence[Memory]) -> tuple[ModelRow, ...]:
    """The embedded model, what was pulled, and what else is known."""
    here, left = all_snapshots(), all_remains()
    pulled = {one.repository for one in here} | {one.repository for one in left}
    missing = [model for model in KNOWN if model.repository not in pulled]
    return (
        _embedded(memories),
        *(snapshot_row(snapshot, memories) for snapshot in here),
        *(_remains_row(remains) for remains in left),
        *(known_row(model, memories) for model in missing),
    )


def snapshot_row(snapshot: Snapshot, memories: Sequence[Memory]) -> ModelRow:
    """The row of a snapshot, whole or not."""
    record = snapshot.record
    known, weights = known_model(record.repository), snapshot_weights(snapshot)
    return ModelRow(
        name=record.repository,
        state=snapshot.state(),
        size=snapshot.size,
        exact=True,
        licence=record.licence.name,
        commit=record.commit,
        weights=weights,
        fits=fits(weights, memories) if weights else (),
        description=_described(known) if known else "pulled from the hub",
    )


def known_row(model: KnownModel, memories: Sequence[Memory]) -> ModelRow:
    """The row of a known model of which nothing is here."""
    return ModelRow(
        name=model.repository,
        state=State.MISSING,
        size=model.bytes.bfloat16,
        exact=False,
        licence=model.licence,
        commit="",
        weights=model.bytes,
        fits=fits(model.bytes, memories),
        description=_described(model),
    )


def snapshot_weights(snapshot: Snapshot) -> WeightBytes | None:
    """What a snapshot takes in memory; None for half a one that is not known, and for GGUF."""
    record = snapshot.record
    if known := known_model(record.repository):
        return known.bytes
    tensors = sum(file.size for name, file in record.files.items() if name.endswith(_TENSORS))
    # checkpoints of this kind are published in 16 bits
    return weight_bytes(tensors // 2) if record.completed and tensors else None


def _remains_row(remains: Remains) -> ModelRow:
    return ModelRow(
        name=remains.repository,
        state=DAMAGED,
        size=remains.size,
        exact=True,
        licence="",
        commit=remains.commit,
        weights=None,
        fits=(),
        description="no model as it is: pull it again, or remove it",
    )


def _embedded(memories: Sequence[Memory]) -> ModelRow:
    possible = fits(_EMBEDDED_BYTES, memories)
    return ModelRow(
        name=EMBEDDED.name,
        state=EMBEDDED.folder().state(),
        size=EMBEDDED.download_bytes,
        exact=True,
        licence=EMBEDDED.licence,
        commit="",
        weights=_EMBEDDED_BYTES,
        fits=tuple(fit for fit in possible if fit.weights is fit.memory.unquantised),
        description=EMBEDDED.description,
    )


def _described(model: KnownModel) -> str:
    return f"{model.family}, about {model.parameters / 1e9:.1f} B parameters, {model.fills}"
