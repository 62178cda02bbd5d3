"""A middle in a canvas whose other slots are pinned: the text behind the hole is held in place.

::

    prompt … P │ free slots │ the suffix's first tokens [end of the turn, padding]

How many slots the middle needs is not known. Each length is looked at in one step, at the same
time; the ones that the model is surest of are denoised, and the surest of those is taken.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.fillers.finishing import Middle, certainty
from midfill.inference.vllm.canvas_request import CanvasRequest, denoise_all
from midfill.inference.vllm.markers import TURNS
from midfill.inference.vllm.windows import CHARACTERS_PER_TOKEN
from midfill.inference.wire import Draft, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.vllm.canvas_request import Denoised
    from midfill.inference.vllm.layout import Layout
    from midfill.inference.vllm.patience import Patience
    from midfill.inference.vllm.server_tokenizer import ServerTokenizer
    from midfill.inference.vllm.ways import Server
    from midfill.inference.wire import Extent

LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192)
"""Of the middle, in tokens."""

LONGEST_LINE = 32
"""Tokens of a middle of one line or statement at most."""

LEAST_TAIL = 8
"""Slots that are left for what follows the hole."""

USUAL_TAIL = 24
"""Slots that what follows the hole gets where the canvas has room."""

STEPS = 16
"""Denoising steps unless the user says otherwise."""

DENOISED = 3
"""Lengths that are denoised after the first look."""

WIDTHS = 16
"""Canvases are multiples of so many slots wide."""


@dataclass(frozen=True, slots=True)
class Tail:
    """What stands behind the free slots.

    Attributes:
        ids: of the suffix's start, and behind a whole suffix the end of the turn.
        of_suffix: so many of them are the suffix's.
        padding: what may follow; nothing where the suffix goes on: then the canvas ends with what
            is held.
    """

    ids: tuple[int, ...]
    of_suffix: int
    padding: int | None

    def behind(self, free: int, widest: int) -> list[int] | None:
        """The ids behind so many free slots, as many as fill the canvas up.

        Nothing where the canvas is too narrow.
        """
        wanted = free + min(len(self.ids), USUAL_TAIL)
        width = min(-(-wanted // WIDTHS) * WIDTHS, widest)
        room = width - free
        if room < min(LEAST_TAIL, len(self.ids)):
            return None
        if room <= len(self.ids):
            return list(self.ids[:room])
        if self.padding is None:
            return list(self.ids)
        return [*self.ids, *[self.padding] * (room - len(self.ids))]


def tail_of(
    tokenizer: ServerTokenizer, suffix: str, widest: int, tokens: int, patience: Patience
) -> Tail:
    """What is held behind a hole.

    Args:
        tokenizer: the served model's.
        suffix: the text behind the hole.
        widest: slots that the canvas has at most.
        tokens: of the suffix, which bound how much of its text is sent.
        patience: how long to wait.
    """
    most = CHARACTERS_PER_TOKEN * max(widest, tokens)
    characters = CHARACTERS_PER_TOKEN * widest
    ids = tokenizer.encode(suffix[:characters], patience)
    # long runs of blanks make few tokens
    while len(ids) <= widest and characters < min(most, len(suffix)):
        characters = min(2 * characters, most)
        ids = tokenizer.encode(suffix[:characters], patience)
    if len(ids) > widest:
        return Tail(tuple(ids[:widest]), widest, None)
    if characters < len(suffix):
        # the last one may be half a token
        whole = tuple(ids[:-1] or ids)
        return Tail(whole, len(whole), None)
    markers = tokenizer.markers
    return Tail((*ids, markers[TURNS.close]), len(ids), markers[TURNS.pad])


def fill_pinned(
    server: Server,
    layout: Layout,
    text: HoleText,
    extent: Extent,
    tokens: int,
    n: int,
    seed: int,
    patience: Patience,
) -> Iterator[Draft | list[Middle]]:
    """Drafts, then the middles, not finished yet and surest first.

    Args:
        server: the served model; its canvas says how wide the canvas may be.
        layout: the prompt, which ends with the prefix.
        text: around the hole.
        extent: how far the middle may go.
        tokens: of the middle at most.
        n: middles wanted.
        seed: of the noise.
        patience: how long to wait.

    Raises:
        EngineUnavailable: the server did not hold a pinned slot.
        MidfillError, OutOfTime: as `Client.post`.
    """
    tail = tail_of(
        server.abilities.tokenizer,
        text.suffix,
        server.canvas,
        server.options.suffix_tokens,
        patience,
    )
    lengths = lengths_for(tail, extent, tokens, server.canvas)
    looks = [_canvas(server, layout, tail, free, seed, steps=1) for free in lengths]
    seen = denoise_all(server.client, server.abilities.model, looks, patience)
    by_sureness = sorted(
        zip(lengths, seen, strict=True),
        key=lambda pair: certainty(pair[1].log_probabilities[: pair[0]]),
        reverse=True,
    )
    best = [free for free, _ in by_sureness]
    yield Draft(text="", masked=best[0], step=1)
    wanted = max(DENOISED, 2 * n - 1)
    steps = server.options.steps or STEPS
    chosen = [
        (best[number % len(best)], seed + number // len(best))
        for number in range(min(wanted, len(best)) if n == 1 else wanted)
    ]
    requests = [_canvas(server, layout, tail, free, noise, steps=steps) for free, noise in chosen]
    canvases = denoise_all(server.client, server.abilities.model, requests, patience)
    middles = [
        _middle(server.abilities.tokenizer, canvas, free, steps + 1, patience)
        for (free, _), canvas in zip(chosen, canvases, strict=True)
    ]
    middles.sort(key=lambda middle: certainty(middle.log_probabilities), reverse=True)
    yield Draft(text=middles[0].text, step=steps + 1)
    yield middles


def lengths_for(tail: Tail, extent: Extent, tokens: int, widest: int) -> list[int]:
    """The lengths that are tried: those that leave room for what follows the hole."""
    longest = tokens if extent.several_lines else min(tokens, LONGEST_LINE)
    fitting = [free for free in LENGTHS if tail.behind(free, widest) is not None]
    return [free for free in fitting if free <= longest] or fitting[:1]


def _canvas(
    server: Server, layout: Layout, tail: Tail, free: int, seed: int, *, steps: int
) -> CanvasRequest:
    behind = tail.behind(free, server.canvas)
    assert behind is not None
    noise = random.Random(f"{seed} {free}")
    start = [noise.randrange(server.abilities.vocabulary) for _ in range(free)]
    width = free + len(behind)
    return CanvasRequest(layout.ids, [*start, *behind], tuple(range(free, width)), steps)


def _middle(
    tokenizer: ServerTokenizer,
    canvas: Denoised,
    free: int,
    steps: int,
    patience: Patience,
) -> Middle:
    """What the free slots say, up to a marker: behind it slots were left over."""
    ids = canvas.ids[:free]
    special = set(tokenizer.markers.values())
    end = next((slot for slot, token in enumerate(ids) if token in special), free)
    text = tokenizer.decode(ids[:end], patience)
    # half a character at the end has no text
    text = text.removesuffix("\N{REPLACEMENT CHARACTER}")
    return Middle(text, Stop.FILLED, free, steps, canvas.log_probabilities[:free])
