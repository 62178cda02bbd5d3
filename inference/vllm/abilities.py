"""What a server has, found out by asking it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineUnavailable, UsageError
from midfill.inference.vllm import faults
from midfill.inference.vllm.answers import ModelList, Tokenized, Version
from midfill.inference.vllm.canvas_request import CanvasRequest, holds_pinned_slots
from midfill.inference.vllm.markers import FAMILIES, TURNS
from midfill.inference.vllm.patience import OutOfTime
from midfill.inference.vllm.server_tokenizer import ServerTokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from midfill.inference.vllm.answers import ModelCard
    from midfill.inference.vllm.client import Client
    from midfill.inference.vllm.markers import FimFamily, Turns
    from midfill.inference.vllm.patience import Patience

FIRST_SECONDS = 5.0
"""For the first questions, which a server that is up answers at once, whatever it is busy with."""

SECONDS = 20.0
"""For all questions together; the first canvas of a server that has just started takes longest."""

NAMED = 10
"""Models that an error names."""

NO_IDS = "with no ids for a text"

VERSION = re.compile(r"[A-Za-z0-9_.+-]{1,64}")

SHORTEST_CONTEXT = 256
"""Tokens; less leaves no room for code on both sides."""

NARROWEST = 16
"""Slots of the narrowest canvas that is tried."""

SAMPLE = (
    "def main():\n    return {'naïve': [1, 2.5], \"ключ\": None}  # 漢字 かな 한글 العربية "
    "हिन्दी ไทย ελληνικά עברית தமிழ் ქართული 𝔉𝔯𝔞𝔨𝔱𝔲𝔯 🦄 ∀x∈ℝ ⟦⟧ Ж Ŵ ꙮ\n"
)
"""Text whose ids lie all over a vocabulary: with ids below the highest, noise can be made."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What one served model can do.

    Attributes:
        model: what the server calls it.
        version: the server's; empty where it tells none.
        max_model_len: tokens of prompt and answer together.
        tokenizer: the model's.
        family: of its markers, if it fills in the middle autoregressively.
        turns: whether it has Gemma's turns, in which it can be asked with words.
        canvas: slots of the widest canvas, at most as many as were asked for, whose pinned slots
            were seen to be held; 0 where they are not.
        vocabulary: so many ids there are at least.
    """

    model: str
    version: str
    max_model_len: int
    tokenizer: ServerTokenizer
    family: FimFamily | None
    turns: bool
    canvas: int
    vocabulary: int


def ask_abilities(client: Client, served_name: str, canvas: int, patience: Patience) -> Abilities:
    """Find out what a server has.

    Args:
        client: talks to it.
        served_name: of the model; empty for the only one that the server has.
        canvas: slots wanted at most.
        patience: how long to wait; never longer than `SECONDS`.

    Raises:
        OutOfTime: the patience is at its end, before those.
        UsageError: there is no such model, or it cannot be asked to fill in the middle.
        EngineUnavailable: the server does not answer as vLLM does.
    """
    seconds = FIRST_SECONDS
    try:
        card = _card(client, served_name, patience.within(seconds))
        seconds = SECONDS
        return _ask(client, card, canvas, patience.within(seconds))
    except OutOfTime:
        if not patience.left:
            raise
        raise faults.silent(client.host, seconds) from None


def _card(client: Client, served_name: str, patience: Patience) -> ModelCard:
    """What the server says about the model, if it is up."""
    client.is_alive(patience)
    models = client.get(ModelList, "/v1/models", patience)
    if models is None:
        raise faults.refusal(client.host, "/v1/models", 404)
    return _chosen(models.data, served_name, client.host)


def _ask(client: Client, card: ModelCard, canvas: int, patience: Patience) -> Abilities:
    version = client.get(Version, "/version", patience)
    tokenizer, vocabulary = _tokenizer(client, card.id, patience)
    family = next((one for one in FAMILIES if _has(tokenizer.markers, one.needed)), None)
    turns = _has(tokenizer.markers, TURNS.needed)
    if family is None and not turns:
        raise UsageError(
            f"the model {card.id!r} at {client.host} has no markers for filling in the middle that "
            "Midfill knows: serve one such as Qwen2.5-Coder, or DiffusionGemma"
        )
    length = card.max_model_len or 4096
    if length < SHORTEST_CONTEXT:
        raise UsageError(
            f"the model {card.id!r} at {client.host} is served with a context of {length} tokens: "
            f"give it at least {SHORTEST_CONTEXT} with --max-model-len"
        )
    return Abilities(
        model=card.id,
        version=version.version if version and VERSION.fullmatch(version.version) else "",
        max_model_len=length,
        tokenizer=tokenizer,
        family=family,
        turns=turns,
        canvas=_held_canvas(client, card.id, tokenizer, canvas, patience) if turns else 0,
        vocabulary=vocabulary,
    )


def _chosen(cards: Sequence[ModelCard], served_name: str, host: str) -> ModelCard:
    names = ", ".join(repr(card.id) for card in cards[:NAMED])
    if len(cards) > NAMED:
        names += f" and {len(cards) - NAMED} more"
    if not cards:
        raise EngineUnavailable(f"the vLLM server at {host} has no model: see its own log")
    if served_name:
        for card in cards:
            if card.id == served_name:
                return card
        raise UsageError(f"the vLLM server at {host} has no model {served_name!r}; it has: {names}")
    if len(cards) > 1:
        raise UsageError(
            f"the vLLM server at {host} has several models: name one behind a #; there are: {names}"
        )
    return cards[0]


def _tokenizer(client: Client, model: str, patience: Patience) -> tuple[ServerTokenizer, int]:
    """The model's tokenizer, and how many ids it has at least.

    A marker counts only if it is a single token.
    """

    def ids_of(*asked: tuple[str, bool]) -> list[list[int]]:
        bodies = [
            {"model": model, "prompt": text, "add_special_tokens": special}
            for text, special in asked
        ]
        return [one.tokens for one in client.post_all(Tokenized, "/tokenize", bodies, patience)]

    # one marker each tells which families are worth asking for the others
    kinds: tuple[FimFamily | Turns, ...] = (*FAMILIES, TURNS)
    sample, begun, *firsts = ids_of(
        (SAMPLE, False), (SAMPLE, True), *((kind.needed[0], False) for kind in kinds)
    )
    if not sample:
        raise faults.garbled(client.host, "/tokenize", NO_IDS)
    likely = [kind for kind, first in zip(kinds, firsts, strict=True) if len(first) == 1]
    names = list(dict.fromkeys(name for kind in likely for name in kind.markers))
    found = zip(names, ids_of(*((name, False) for name in names)), strict=True)
    markers = {name: ids[0] for name, ids in found if len(ids) == 1}
    begin = begun[: -len(sample)] if begun[-len(sample) :] == sample else []
    vocabulary = 1 + max([*sample, *markers.values()])
    return ServerTokenizer(client, model, markers, begin), vocabulary


def _has(markers: Mapping[str, int], needed: Sequence[str]) -> bool:
    """Whether all of them are markers, each its own."""
    ids = {markers[name] for name in needed if name in markers}
    return len(ids) == len(needed)


def _held_canvas(
    client: Client, model: str, tokenizer: ServerTokenizer, widest: int, patience: Patience
) -> int:
    """The widest canvas whose slots come back as they were pinned; 0 if none does.

    Servers that know nothing of canvases pass over the arguments and answer something else.
    """
    ids = tokenizer.encode(SAMPLE, patience)
    if not ids:
        raise faults.garbled(client.host, "/tokenize", NO_IDS)
    width = widest
    while width >= NARROWEST:
        seed = [ids[slot % len(ids)] for slot in range(width)]
        request = CanvasRequest(
            tokenizer.begin or ids[:1], seed, pinned=tuple(range(width)), steps=1
        )
        held = holds_pinned_slots(client, model, request, patience)
        if held is not None:
            return width if held else 0
        width //= 2  # the served canvas may be narrower
    return 0
