"""The models that Midfill knows by name. Never imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.models.embedded import published
from midfill.inference.models.embedded.files import ADAPTER, embedded_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from midfill.inference.downloads.model_folder import ModelFolder


@dataclass(frozen=True, slots=True)
class Adapter:
    """What makes a base model denoise masked slots; ships with Midfill.

    Attributes:
        figures: what it was measured to do, as pairs of words and values.
    """

    path: Path
    licence: str
    description: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One model.

    Attributes:
        name: as ``--model`` takes it.
        description: one line.
        licence: an SPDX identifier.
        origin: the publisher's repository and revision.
        folder: where it is in the cache of the moment.
    """

    name: str
    description: str
    licence: str
    origin: str
    adapter: Adapter
    folder: Callable[[], ModelFolder]

    @property
    def download_bytes(self) -> int:
        return self.folder().published.size

    @property
    def disk_bytes(self) -> int:
        """What it takes on the disk once it is prepared, roughly."""
        folder = self.folder()
        return folder.published.size + sum(product.size for product in folder.products)


EMBEDDED = CatalogEntry(
    name="embedded",
    description="Qwen2.5-Coder-0.5B-Instruct with masked slots; runs on any CPU, offline",
    licence="Apache-2.0",
    origin=f"{published.HUB.repository}, revision {published.HUB.revision}",
    adapter=Adapter(
        path=ADAPTER,
        licence="Apache-2.0",
        description="4 masks entering at layer 8, rank 32 from there on, a sampler head; bfloat16",
        figures=(
            ("tokens a step on held-out files, 3 guesses a step", "2.63"),
            (
                "guesses that name the right token, 1st to 4th, those before given",
                "0.80, 0.68, 0.58, 0.48",
            ),
            ("one-line holes filled as they were, greedy", "0.63 (the base's own)"),
        ),
    ),
    folder=embedded_folder,
)

CATALOG = (EMBEDDED,)


def catalog_entry(name: str) -> CatalogEntry:
    """The model called ``name``.

    Raises:
        UsageError: there is none.
    """
    for entry in CATALOG:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in CATALOG)
    raise UsageError(f"there is no model {name!r}; this version knows: {known}")
