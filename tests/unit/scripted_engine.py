"""An engine that does what a test wants, in the place of the link to a real one."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, EngineUnavailable
from midfill.inference.version import version
from midfill.inference.wire import Draft, EngineState, Final, Health, InfillRequest, Stop
from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one request.

    Attributes:
        seconds: before each draft and before the end.
        drafts: so many before the end.
        ending: ``final``, ``busy``, ``broken``, ``nothing`` or ``hangs``, which is until released.
    """

    texts: tuple[str, ...] = ("value(1)",)
    seconds: float = 0.0
    drafts: int = 1
    ending: str = "final"
    confidence: float = 1.0
    stop: Stop = Stop.LINE_END


@dataclass(slots=True, eq=False)
class Running:
    request: InfillRequest
    fails: bool = False
    go_on: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Given:
    """A fill that was sent, and for what."""

    prefix: str
    suffix: str
    text: str


class ScriptedEngine:
    """Has the interface of `EngineLink`, and answers by plans; without one, with the last again.

    Attributes:
        running: requests that are being answered.
        given: every fill that was sent.
        asked: how many requests came.
    """

    def __init__(self, look: Callable[[InfillRequest], None]) -> None:
        """Args: look: is shown every request as it comes."""
        self.model = ""
        self._on_status: Callable[[Health], None] = lambda health: None
        self._look = look
        self.health: Health | None = None
        self.plans: deque[Plan] = deque()
        self.plan = Plan()
        self.running: list[Running] = []
        self.given: list[Given] = []
        self.asked = 0
        self.closed = False

    def link(
        self, model: str, on_status: Callable[[Health], None], endpoint: object = None
    ) -> ScriptedEngine:
        """In place of ``EngineLink(model, on_status)``."""
        self.model, self._on_status = model, on_status
        return self

    @property
    def ready(self) -> bool:
        return self.health is not None and self.health.state is EngineState.READY

    def start(self) -> None:
        self.be(EngineState.READY)

    def be(self, state: EngineState) -> None:
        """Tell of another state."""
        self.health = Health(version=version(), model=self.model, state=state, pid=1)
        self._on_status(self.health)

    def crash(self) -> None:
        """Go away in the middle of everything."""
        for running in self.running:
            running.fails = True
            running.go_on.set()
        self.be(EngineState.LOADING)

    def release(self) -> None:
        """End what hangs."""
        for running in self.running:
            running.go_on.set()

    def ask_to_load(self) -> None:
        """It comes back when the test says."""

    def ask_to_forget(self) -> None:
        """It keeps nothing."""

    async def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Final]:
        self.asked += 1
        self._look(request)
        if not self.ready:
            raise EngineUnavailable("the engine is not there yet")
        self.plan = plan = self.plans.popleft() if self.plans else self.plan
        running = Running(request)
        self.running.append(running)
        try:
            for step in range(plan.drafts):
                await self._pause(running, plan.seconds)
                yield Draft(text=plan.texts[0][:step], step=step)
            await self._pause(running, None if plan.ending == "hangs" else plan.seconds)
            if plan.ending == "busy":
                raise EngineBusy("too many requests wait already")
            if plan.ending == "broken":
                raise EngineUnavailable("the engine went away in the middle of an answer")
            if plan.ending != "nothing":
                yield self._final(request, plan)
        finally:
            self.running.remove(running)

    async def prompt(self, request: InfillRequest) -> ShownPrompt:
        self._look(request)
        if not self.ready:
            raise EngineUnavailable("the engine is not there yet")
        piece = PromptPiece(part=PromptPart.PREFIX, text=request.prefix, tokens=1)
        return ShownPrompt(model=self.model, pieces=(piece,))

    async def close(self) -> None:
        self.closed = True

    async def _pause(self, running: Running, seconds: float | None) -> None:
        """Args: seconds: None for as long as nobody releases it."""
        if seconds != 0:
            try:
                async with asyncio.timeout(seconds):
                    await running.go_on.wait()
            except TimeoutError:
                pass
        if running.fails:
            raise EngineUnavailable("the engine went away in the middle of an answer")

    def _final(self, request: InfillRequest, plan: Plan) -> Final:
        texts = plan.texts[: request.n]
        hole = request.hole
        whole = request.prefix + request.suffix
        self.given += [Given(whole[: hole.start], whole[hole.end :], text) for text in texts]
        return Final(
            text=texts[0],
            alternatives=texts[1:],
            confidence=plan.confidence,
            stop=plan.stop,
            model=self.model,
            tokens=len(texts[0]),
            steps=plan.drafts,
        )
