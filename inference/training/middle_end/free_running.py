"""What the base writes by itself in a hole, and its states: the end has to be found there too.

On the true text the rules have it easy, for the suffix always follows word for word. Here the model
goes on as it likes, and what counts is whether the true middle comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.nn import functional as F

from midfill.inference.models.embedded.end_features import scalar_features
from midfill.inference.progress import Progress
from midfill.inference.training.errors import CheckpointUnusable
from midfill.inference.training.middle_end.holes import identity_of
from midfill.inference.training.middle_end.written import WINDOWS
from midfill.inference.training.rollout import Teacher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.models.embedded.architecture import Architecture
    from midfill.inference.models.embedded.end_features import TokenTables
    from midfill.inference.models.embedded.weights import Base
    from midfill.inference.progress import ProgressListener
    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.training.middle_end.holes import EndHole

CONTINUATION = 56
"""Tokens written in each hole."""


@dataclass(frozen=True, slots=True)
class FreeHole:
    """A hole and what the base wrote in it.

    Attributes:
        tokens: greedily chosen; nothing is healed, so they begin right behind the prefix.
        states: (tokens, width) float16; row ``i`` predicts token ``i``.
        features: (tokens, features) float32.
    """

    hole: EndHole
    tokens: tuple[int, ...]
    states: Tensor
    features: Tensor


def context(tokenizer: Tokenizer, hole: EndHole) -> list[int] | None:
    """The prompt, of the same length for all holes; None if the hole has too little text around."""
    suffix = tokenizer.encode(hole.suffix)[: WINDOWS.suffix]
    prefix = tokenizer.encode(hole.prefix)[-WINDOWS.prefix :]
    if len(suffix) < WINDOWS.suffix or len(prefix) < WINDOWS.prefix:
        return None
    return [
        tokenizer.fim_prefix,
        tokenizer.fim_suffix,
        *suffix,
        tokenizer.fim_middle,
        *prefix,
    ]


def write_freely(
    base: Base,
    architecture: Architecture,
    tokenizer: Tokenizer,
    tables: TokenTables,
    holes: Sequence[EndHole],
    path: Path,
    listener: ProgressListener,
) -> list[FreeHole]:
    """Let the base write in those holes that have enough text around them.

    Args:
        path: where it is kept; what is there already is not written again.

    Raises:
        CheckpointUnusable: what is there is damaged, or of other holes.
    """
    contexts = [(hole, tokens) for hole in holes if (tokens := context(tokenizer, hole))]
    if not contexts:
        return []
    identity = identity_of([hole for hole, _ in contexts])
    if not path.exists():
        teacher = Teacher(base, architecture, architecture.layers)
        passes = 0

        def working() -> None:
            nonlocal passes
            passes += 1
            listener(Progress(f"writing freely: {passes} passes"))

        rollout = teacher.greedy([tokens for _, tokens in contexts], CONTINUATION, working)
        tensors = {
            "tokens": rollout.tokens[:, rollout.context :].contiguous(),
            "states": rollout.final_states.to(torch.float16).contiguous(),
        }
        partial = path.with_suffix(".partial")
        save_file(tensors, partial, {"holes": identity})
        partial.replace(path)
    stored = _stored(path, identity)
    found = []
    rows = zip(contexts, stored["tokens"], stored["states"], strict=True)
    for (hole, tokens), written, states in rows:
        logits = F.linear(states.to(base.dtype), base.head).float()
        features = scalar_features(logits, tokens[2 : 2 + WINDOWS.suffix], tables)
        found.append(FreeHole(hole, tuple(written.tolist()), states, features))
    return found


def _stored(path: Path, identity: str) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("holes") != identity:
                raise CheckpointUnusable(
                    f"{path} is of other holes: name another folder by --out, or delete it"
                )
            return {name: file.get_tensor(name) for name in ("tokens", "states")}
    except (SafetensorError, OSError) as error:
        raise CheckpointUnusable(f"{path} is damaged ({error}): delete it") from None
