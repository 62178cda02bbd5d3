"""What the user names to compare with, and whether it can be had at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from midfill.inference.errors import UsageError
from midfill.inference.measuring.replay.endpoint import EndpointName, parse_endpoint
from midfill.inference.measuring.replay.gguf_markers import GgufMarkers, read_markers
from midfill.inference.measuring.replay.llama_cpp import need_llama_cpp

if TYPE_CHECKING:
    from collections.abc import Sequence

LLAMA_CPP = "llama.cpp"
UNHEALED = "llama.cpp,healing=off"


@dataclass(frozen=True, slots=True)
class SameWeights:
    """llama.cpp on the embedded model's own weights.

    Attributes:
        healing: whether it writes the partial token at the cursor again, as our own engine does.
    """

    healing: bool = True


@dataclass(frozen=True, slots=True)
class GgufModel:
    """A GGUF file of the user's, and how its model is asked."""

    path: Path
    markers: GgufMarkers


Peer: TypeAlias = SameWeights | GgufModel | EndpointName


def is_peer(name: str) -> bool:
    """Whether the name is of a kind that a replay compares with; others are models by name."""
    return name in (LLAMA_CPP, UNHEALED) or name.lower().endswith(".gguf") or "://" in name


def find_peers(names: Sequence[str]) -> tuple[Peer, ...]:
    """Take names apart, each once, and see to it that what they need is here.

    Raises:
        UsageError: a name is wrong, or a file cannot be used.
        MidfillError: llama.cpp is not installed.
    """
    return tuple(map(_peer, dict.fromkeys(names)))


def _peer(name: str) -> Peer:
    if name in (LLAMA_CPP, UNHEALED):
        need_llama_cpp()
        return SameWeights(healing=name == LLAMA_CPP)
    if "://" in name:
        return parse_endpoint(name)
    if not name.lower().endswith(".gguf"):
        raise UsageError(
            f"--against takes {LLAMA_CPP}, FILE.gguf or URL#MODEL beside these options, "
            f"not {name[:80]!r}"
        )
    path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError(f"--against {name}: there is no such file")
    need_llama_cpp()
    return GgufModel(path, read_markers(path))
