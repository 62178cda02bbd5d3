"""A middle that the server writes behind a prompt, streamed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midfill.inference.fillers.finishing import Middle, without_controls
from midfill.inference.stopping import Surroundings, find_end
from midfill.inference.vllm import faults
from midfill.inference.vllm.markers import TURNS
from midfill.inference.vllm.patience import OutOfTime
from midfill.inference.vllm.turn_prompt import Read, read_answer
from midfill.inference.wire import Draft, Stop

if TYPE_CHECKING:
    from collections.abc import Generator

    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.vllm.answers import Choice, Usage
    from midfill.inference.vllm.layout import Layout
    from midfill.inference.vllm.patience import Patience
    from midfill.inference.vllm.ways import Server
    from midfill.inference.wire import Extent

PATH = "/v1/completions"

CLOSING_TOKENS = 8
"""What a closing tag and the end of a turn take at most."""

LONGEST_TOKEN = 256
"""Characters; the longest are runs of blanks."""

FINISHED = {"stop": Stop.END_TOKEN, "length": Stop.TOKEN_LIMIT}


@dataclass(frozen=True, slots=True)
class Wish:
    """What to write.

    Attributes:
        layout: the prompt.
        text: around the hole.
        extent: how far the middle may go.
        tokens: at most.
        n: middles.
        temperature, seed: of their sampling.
    """

    layout: Layout
    text: HoleText
    extent: Extent
    tokens: int
    n: int = 1
    temperature: float = 0.0
    seed: int = 0

    @property
    def most_tokens(self) -> int:
        """Of an answer, with what closes it."""
        return self.tokens + (CLOSING_TOKENS if self.layout.closing else 0)


@dataclass(frozen=True, slots=True)
class Written:
    """Attributes:
    middles: not finished yet; those that were begun.
    usage: what the server says about the prompt, if it came to that.
    """

    middles: list[Middle]
    usage: Usage | None


def write(server: Server, wish: Wish, patience: Patience) -> Generator[Draft, None, Written]:
    """Have middles written; drafts are of the first, whenever there is more of it.

    The connection is closed as soon as every middle has come to its end, which for a line is long
    before the model's own; with what there is at the deadline, or if
    the server writes more than it was asked for.

    Raises:
        MidfillError: as `Client.stream`.
    """
    around = Surroundings.of(wish.text.prefix, wish.text.suffix, wish.extent, wish.text.replaced)
    writings = [_Writing(wish, around) for _ in range(wish.n)]
    host, usage, chunks, told = server.client.host, None, 0, ""
    try:
        with closing(server.client.stream(PATH, completion_body(server, wish), patience)) as stream:
            for chunk in stream:
                chunks += 1
                usage = chunk.usage or usage
                for choice in chunk.choices:
                    if choice.index >= len(writings):
                        raise faults.garbled(host, PATH, "with more than was asked for")
                    writings[choice.index].add(choice, host)
                if (begun := writings[0].shown) != told:
                    told = begun
                    yield Draft(text=told, step=chunks)
                if all(writing.complete for writing in writings):
                    break
        if not all(writing.stop or writing.complete for writing in writings):
            raise faults.broke_off(host)
    except OutOfTime:
        pass
    return Written([writing.middle() for writing in writings], usage)


def completion_body(server: Server, wish: Wish) -> dict[str, object]:
    """The request as ``/v1/completions`` takes it."""
    abilities, options = server.abilities, server.options
    body: dict[str, object] = {
        "model": abilities.model,
        "prompt": wish.layout.ids,
        "max_tokens": wish.most_tokens,
        "n": wish.n,
        "temperature": wish.temperature,
        "logprobs": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        # a marker in an answer of words is to be seen, so that it can be refused
        "skip_special_tokens": not wish.layout.closing,
    }
    if wish.temperature > 0:
        body |= {"seed": wish.seed, "top_p": options.top_p}
    markers = abilities.tokenizer.markers
    ends = (
        (TURNS.close,) if wish.layout.closing else abilities.family.ends if abilities.family else ()
    )
    if stop := [markers[name] for name in ends if name in markers]:
        body["stop_token_ids"] = stop
    if server.canvas:
        xargs = {"diffusion_canvas_length": server.canvas}
        if options.steps is not None:
            xargs["diffusion_max_steps"] = options.steps
        body["vllm_xargs"] = xargs
    return body


@dataclass(slots=True)
class _Writing:
    """One middle on its way.

    Attributes:
        read: what it says so far.
        stop: how the server ended it, or its answer's form or length did.
        complete: nothing behind what is read can change it.
    """

    wish: Wish
    around: Surroundings
    answer: str = ""
    read: Read = field(default_factory=lambda: Read(""))
    stop: Stop | None = None
    complete: bool = False
    tokens: int = 0
    chunks: int = 0
    log_probabilities: list[float] = field(default_factory=list)

    def add(self, choice: Choice, host: str) -> None:
        """Take in the next piece.

        Raises:
            EngineUnavailable: the server ended it for reasons of its own.
        """
        if self.stop is not None or self.complete:
            return
        told = choice.logprobs.token_logprobs if choice.logprobs else []
        room = self.wish.most_tokens - self.tokens
        # a server that does not tell tokens writes one a piece at least
        tokens = len(told) or min(len(choice.text), 1)
        allowed = len(choice.text) if tokens <= room else len(choice.text) * room // tokens
        allowed = min(allowed, self.wish.most_tokens * LONGEST_TOKEN - len(self.answer))
        over = tokens > room or allowed < len(choice.text)
        self.answer += choice.text[:allowed]
        self.chunks += 1
        self.tokens += min(tokens, room)
        self.log_probabilities += [min(0.0, value) for value in told[:room] if value is not None]
        if choice.finish_reason is not None and choice.finish_reason not in FINISHED:
            raise faults.broke_off(host)
        self.stop = Stop.TOKEN_LIMIT if over else FINISHED.get(choice.finish_reason or "")
        if self.wish.layout.closing:
            self.read = read_answer(self.answer, ended=self.stop is Stop.END_TOKEN)
            self.stop = self.read.stop or self.stop
        else:
            self.read = Read(self.answer)
        ends = find_end(self.read.middle, self.around, self.wish.extent) is not None
        self.complete = ends or over or self.read.stop is not None

    @property
    def shown(self) -> str:
        """What it says so far, as people may be shown it."""
        return without_controls(self.read.middle)

    def middle(self) -> Middle:
        return Middle(
            self.read.middle,
            self.stop or Stop.DEADLINE,
            tokens=self.tokens,
            steps=self.chunks,
            log_probabilities=tuple(self.log_probabilities),
        )
