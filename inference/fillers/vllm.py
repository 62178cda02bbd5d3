"""Filling with a model that a vLLM server has in its memory.

The text around the hole leaves for that server, as whoever named it wants.
"""

from __future__ import annotations

import logging
from contextlib import closing
from math import inf
from typing import TYPE_CHECKING

from midfill.inference.errors import Cancelled, EngineUnavailable, MidfillError, UsageError
from midfill.inference.fillers.attempts import ALTERNATIVES_TEMPERATURE
from midfill.inference.fillers.finishing import (
    Middle,
    final_of,
    finished,
    is_new,
    without_controls,
)
from midfill.inference.fillers.hole_text import hole_text
from midfill.inference.models.options import SuffixView
from midfill.inference.progress import Progress
from midfill.inference.vllm import faults
from midfill.inference.vllm.abilities import ask_abilities
from midfill.inference.vllm.access import api_key, warn_of_open_transport
from midfill.inference.vllm.client import Client
from midfill.inference.vllm.completion import Wish, write
from midfill.inference.vllm.layout import Piece, shown
from midfill.inference.vllm.patience import OutOfTime, Patience
from midfill.inference.vllm.pinned import fill_pinned, tail_of
from midfill.inference.vllm.ways import server_of
from midfill.inference.wire import CacheFigures, Draft, Stop
from midfill.inference.wire_prompt import PromptPart

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from midfill.inference.fillers.filler import Run
    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.models.options import Options
    from midfill.inference.models.reference import ModelReference
    from midfill.inference.progress import ProgressListener
    from midfill.inference.vllm.answers import Usage
    from midfill.inference.vllm.completion import Written
    from midfill.inference.vllm.layout import Layout
    from midfill.inference.vllm.ways import Server
    from midfill.inference.wire import Final, InfillRequest
    from midfill.inference.wire_prompt import ShownPrompt

log = logging.getLogger(__name__)

NARROWEST = 32
"""Slots that a canvas is not lowered below."""

PROMPT_SECONDS = 5.0
"""For showing a prompt, which only the tokenizer is needed for."""


def open_vllm(reference: ModelReference, listener: ProgressListener) -> VllmFiller:
    """Ask a server what it has.

    The listener is told all the while; what it raises ends the waiting.

    Raises:
        UsageError: it has no such model, refuses the key, or cannot follow an option.
        EngineUnavailable: it cannot be reached, or does not answer as vLLM does.
        EngineBusy: it has too many requests.
    """
    client = Client(reference.location, api_key(reference.location))
    try:
        warn_of_open_transport(client.address, client.host)
        progress = Progress(f"asking the vLLM server at {client.host} what it has")

        def never() -> bool:
            listener(progress)
            return False

        options = reference.options
        abilities = ask_abilities(
            client, reference.served_name, options.canvas, Patience(inf, never)
        )
        server = server_of(client, abilities, options)
    except BaseException:
        client.close()
        raise
    log.info(
        "vLLM %s at %s: markers %s, canvas %d, context %d",
        abilities.version or "of unknown version",
        client.host,
        abilities.family.name if abilities.family else "of turns",
        abilities.canvas,
        abilities.max_model_len,
    )
    return VllmFiller(server, reference.name)


class VllmFiller:
    """A `Filler` whose model is elsewhere.

    Nothing of a request is kept but the token ids of texts lately sent; contexts are cached by the
    server, which tells them by their tokens.

    A server that fails may have been started anew, with another model under the same name: before
    the next fill it is asked again what it has.
    """

    fills_at_once = 1

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self._name = name
        self._failed = False

    def with_options(self, options: Options) -> VllmFiller:
        server = self.server
        return VllmFiller(server_of(server.client, server.abilities, options), self._name)

    def forget(self) -> None:
        self.server.abilities.tokenizer.forget()

    def shrink(self) -> bool:
        if self.server.canvas <= NARROWEST:
            return False
        self.server = self.server.with_canvas(self.server.canvas // 2)
        return True

    def close(self) -> None:
        self.server.client.close()

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        """What would be sent: the prompt, and behind it what would be held in pinned slots.

        Instructions are shown as markers. How much is held depends on the length that is tried.
        """
        server, text, patience = self.server, hole_text(request), Patience.of(PROMPT_SECONDS)
        view = server.view(request.hole.extent)
        try:
            layout = server.layout(request, text, view, patience)
            pieces = list(layout.pieces)
            if view is not SuffixView.PROMPT:
                tokenizer = server.abilities.tokenizer
                tail = tail_of(
                    tokenizer, text.suffix, server.canvas, server.options.suffix_tokens, patience
                )
                held = tail.ids[: tail.of_suffix]
                seen = tokenizer.decode(held, patience)
                pieces.append(Piece(PromptPart.SUFFIX, seen, held))
        except OutOfTime:
            raise faults.silent(server.client.host, PROMPT_SECONDS) from None
        return shown(pieces, self._name)

    def fill(self, request: InfillRequest, run: Run) -> Iterator[Draft | Final]:
        text = hole_text(request)
        patience = Patience(run.deadline, run.cancelled)
        try:
            if self._failed:
                self._ask_again(patience)
            view = self.server.view(request.hole.extent)
            layout = self.server.layout(request, text, view, patience)
            if view is SuffixView.PROMPT:
                yield from self._by_prompt(request, run, layout, text, patience)
            else:
                yield from self._by_pinned_slots(request, run, layout, text, patience)
        except OutOfTime:
            nothing = Middle("", Stop.DEADLINE, tokens=0, steps=0)
            yield final_of([nothing], text, self._name, run.watch, CacheFigures())
        except (EngineUnavailable, UsageError):
            self._failed = True
            raise

    def _ask_again(self, patience: Patience) -> None:
        server = self.server
        canvas = server.canvas or server.options.canvas
        abilities = ask_abilities(server.client, server.abilities.model, canvas, patience)
        self.server = server_of(server.client, abilities, server.options)
        self._failed = False

    def _by_prompt(
        self,
        request: InfillRequest,
        run: Run,
        layout: Layout,
        text: HoleText,
        patience: Patience,
    ) -> Iterator[Draft | Final]:
        extent, tokens = request.hole.extent, request.limits.tokens
        temperature = request.temperature or self.server.options.temperature or 0.0
        wish = Wish(layout, text, extent, tokens, 1, temperature, request.seed)
        written = yield from _noted(write(self.server, wish, patience), run)
        middles = [finished(middle, text, extent) for middle in written.middles]
        if request.n > 1 and patience.left:
            warmer = max(temperature, ALTERNATIVES_TEMPERATURE)
            wish = Wish(layout, text, extent, tokens, 2 * request.n - 2, warmer, request.seed + 1)
            for other in self._alternatives(wish, patience):
                if len(middles) < request.n and is_new(other, middles):
                    middles.append(other)
        yield final_of(middles, text, self._name, run.watch, _figures(layout, written.usage))

    def _alternatives(self, wish: Wish, patience: Patience) -> Iterator[Middle]:
        """More middles; none where the server has no more to give, since one is there already."""
        writing = write(self.server, wish, patience)
        try:
            while True:
                next(writing)
        except StopIteration as end:
            for middle in end.value.middles:
                yield finished(middle, wish.text, wish.extent)
        except Cancelled:
            raise
        except MidfillError as error:
            log.warning("no alternatives: %s", error)

    def _by_pinned_slots(
        self,
        request: InfillRequest,
        run: Run,
        layout: Layout,
        text: HoleText,
        patience: Patience,
    ) -> Iterator[Draft | Final]:
        extent = request.hole.extent
        filling = fill_pinned(
            self.server,
            layout,
            text,
            extent,
            request.limits.tokens,
            request.n,
            request.seed,
            patience,
        )
        middles: list[Middle] = []
        for item in filling:
            run.watch.note_step()
            if isinstance(item, Draft):
                yield item.model_copy(update={"text": without_controls(item.text)})
                continue
            for middle in (finished(middle, text, extent) for middle in item):
                if not middles or (len(middles) < request.n and is_new(middle, middles)):
                    middles.append(middle)
        yield final_of(middles, text, self._name, run.watch, _figures(layout, None))


def _noted(writing: Generator[Draft, None, Written], run: Run) -> Generator[Draft, None, Written]:
    """Pass drafts on, and note when the first one came."""
    with closing(writing):
        while True:
            try:
                draft = next(writing)
            except StopIteration as end:
                written: Written = end.value
                return written
            run.watch.note_step()
            yield draft


def _figures(layout: Layout, usage: Usage | None) -> CacheFigures:
    """How much of the prompt the server had; servers tell only if they are started so."""
    details = usage.prompt_tokens_details if usage else None
    hits = min((details.cached_tokens or 0) if details else 0, len(layout.ids))
    return CacheFigures(hit_tokens=hits, new_tokens=len(layout.ids) - hits)
