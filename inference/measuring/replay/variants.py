"""Our own engine with one of its optimisations switched off.

All variants share the weights in memory, except for the one that computes without native kernels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from midfill.inference.engine import Engine
from midfill.inference.errors import UsageError
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.last_fills import LastFills
from midfill.inference.measuring.replay.engine_writer import EngineWriter
from midfill.inference.models.embedded.files import Form, form_on_cpu
from midfill.inference.models.loading import load_embedded
from midfill.inference.prefix_cache import CONTEXT_BYTES, PrefixCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from midfill.inference.context_cache import ContextCache
    from midfill.inference.models.loading import LoadedModel
    from midfill.inference.progress import ProgressListener

NAMES = {
    "native": "bfloat16 weights in plain torch instead of the native int8 kernels",
    "guesses": "no masks: one token a step, but for what is believed",
    "belief": "nothing is believed: the last suggestion is not verified, but written anew",
    "lookup": "nothing is looked up in the context: only the model's own guesses are verified",
    "prefix-cache": "no encoded context is kept: each request reads its whole prompt",
}
"""What can be switched off, and what that means."""


class Variant(Engine):
    """An `Engine` of the embedded model with a filler of its own."""

    def __init__(self, filler: EmbeddedFiller) -> None:
        super().__init__()
        self._filler = filler

    def unload(self) -> None:
        self._filler = None  # the weights are those of the engine that they were loaded for


class Disbelieving(PrefixCache):
    """Keeps contexts, but not what followed them."""

    def take(
        self, tokens: Sequence[int], empty: Callable[[], ContextCache], caller: str = ""
    ) -> tuple[ContextCache, list[int]]:
        cache, _ = super().take(tokens, empty, caller)
        return cache, []


class NothingLeft(LastFills):
    """Does not remember what was written."""

    def left(self, prefix: str, caller: str = "") -> str:
        return ""


class Forgetful(PrefixCache):
    """Knows what followed a context, but has none of it encoded."""

    def take(
        self, tokens: Sequence[int], empty: Callable[[], ContextCache], caller: str = ""
    ) -> tuple[ContextCache, list[int]]:
        _, believed = super().take(tokens, empty, caller)
        return empty(), believed


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Each once.

    Raises:
        UsageError: one is not known, or there is nothing to switch off.
    """
    for name in names:
        if name not in NAMES:
            raise UsageError(f"--without {name[:40]}: that is none of {', '.join(NAMES)}")
    if "native" in names and form_on_cpu() is not Form.INT8:
        raise UsageError("--without native: there are no native kernels here, so none are used")
    return tuple(dict.fromkeys(names))


def open_without(
    name: str, loaded: LoadedModel, device: torch.device, listener: ProgressListener
) -> EngineWriter:
    """The engine with one optimisation switched off.

    Args:
        name: of `NAMES`.
        loaded: the model in memory.
        device: where it is.
        listener: told of loading, where something has to be loaded.
    """
    contexts: PrefixCache | None = None
    if name == "native":
        loaded = load_embedded(device, listener, Form.BFLOAT16)
    elif name == "guesses":
        loaded = replace(loaded, masks=0, looks_up=False)
    elif name == "belief":
        contexts = Disbelieving(CONTEXT_BYTES)
    elif name == "lookup":
        loaded = replace(loaded, looks_up=False)
    else:
        contexts = Forgetful(CONTEXT_BYTES)
    title = f"without {name}"
    filler = EmbeddedFiller(loaded, title)
    if contexts is not None:
        filler.contexts = contexts
    if name == "belief":
        filler.fills = NothingLeft()
    return EngineWriter(Variant(filler), title, NAMES[name])
