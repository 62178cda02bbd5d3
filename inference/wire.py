"""What language servers, the command line and the engine say to each other.

JSON over HTTP: ``POST /v1/infill`` takes an `InfillRequest` and answers server-sent events named
``draft`` (`Draft`), then one ``final`` (`Final`) or one ``error`` (`Failure`). ``GET /health``
answers a `Health`; ``GET /v1/events`` streams a ``status`` event (`Health`) whenever it changes.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_BODY_BYTES = 8 * 2**20
"""A larger request body is refused."""


class WireModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Extent(StrEnum):
    """How far the middle of a hole may go."""

    LINE = "line"
    """To the first line break after the first visible character."""
    STATEMENT = "statement"
    """To the first such line break at which every bracket that the middle opened is closed."""
    LINES = "lines"
    """To where the suffix begins again, or the scope ends."""
    BLOCK = "block"
    """Like `LINES`, but the body of a block: it ends with the scope, whatever follows."""

    @property
    def several_lines(self) -> bool:
        """Whether it may go on behind the end of a line or statement."""
        return self in (Extent.LINES, Extent.BLOCK)


class ContextFile(WireModel):
    """A piece of another file that the model may read."""

    path: str
    text: str


class HoleSpan(WireModel):
    """A hole, as character offsets into ``prefix + suffix``: the text in between is replaced."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    extent: Extent = Extent.LINE

    @model_validator(mode="after")
    def _in_order(self) -> HoleSpan:
        if self.end < self.start:
            raise ValueError("a hole's end may not stand before its start")
        return self


class Limits(WireModel):
    """When to stop at the latest."""

    tokens: int = Field(default=64, ge=1, le=512)
    deadline_ms: int = Field(default=10_000, ge=1, le=600_000)
    """Counted from when the engine takes the request up; then the best finished part is sent."""


class InfillRequest(WireModel):
    """Fill one hole.

    Without ``holes`` the hole is the empty span between ``prefix`` and ``suffix``, one line long.
    """

    context: tuple[ContextFile, ...] = ()
    prefix: str
    holes: tuple[HoleSpan, ...] = Field(default=(), max_length=1)
    suffix: str = ""
    document: str = Field(default="", max_length=256)
    """A name of the document among others of the same caller; any will do, and it says nothing. Of
    several requests about one document that wait, the newest is answered first."""
    language: str = ""
    """The editor's name for it; the embedded model goes by the text alone."""
    limits: Limits = Limits()
    n: int = Field(default=1, ge=1, le=8)
    seed: int = Field(default=0, ge=-(2**63), lt=2**63)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)

    @model_validator(mode="after")
    def _holes_inside(self) -> InfillRequest:
        length = len(self.prefix) + len(self.suffix)
        if any(hole.end > length for hole in self.holes):
            raise ValueError("a hole ends behind the end of prefix + suffix")
        return self

    @property
    def hole(self) -> HoleSpan:
        if self.holes:
            return self.holes[0]
        return HoleSpan(start=len(self.prefix), end=len(self.prefix))


class Stop(StrEnum):
    """Why the middle ended."""

    END_TOKEN = "end-token"
    LINE_END = "line-end"
    REST_OF_LINE = "rest-of-line"
    SUFFIX = "suffix"
    DEDENT = "dedent"
    LIKELY_END = "likely-end"
    TOKEN_LIMIT = "token-limit"
    DEADLINE = "deadline"
    FILLED = "filled"
    """No slot of the canvas is unknown any more; the model sees what follows and led up to it."""
    REFUSED = "refused"
    """The answer is not of the form that was asked for; nothing of it is used."""


class Draft(WireModel):
    """The canvas after one denoising step."""

    text: str
    """The known middle."""
    guess: str = ""
    """What the masked slots guess behind it; the next step verifies it."""
    masked: int = 0
    """Slots behind the guess that are still masked and that the next step fills."""
    step: int = 0


class CacheFigures(WireModel):
    hit_tokens: int = 0
    new_tokens: int = 0


class Milliseconds(WireModel):
    load: float = 0.0
    encode: float = 0.0
    denoise: float = 0.0
    total: float = 0.0


class Final(WireModel):
    """A finished fill. ``text`` replaces the hole; ``alternatives`` are distinct from it."""

    text: str
    alternatives: tuple[str, ...] = ()
    confidence: float = Field(ge=0.0, le=1.0)
    """The chance that ``text`` is exactly right, where the model is calibrated; else the geometric
    mean of its tokens' probabilities. 0 if there is nothing to see."""
    log_probabilities: tuple[float, ...] = ()
    """Of the tokens that ``text`` was cut from, and of the one behind them; nats."""
    stop: Stop
    model: str
    tokens: int
    steps: int
    step_tokens: tuple[int, ...] = ()
    """How many tokens each step made certain; empty where nothing is certain before the end, or it
    is not known. Steps that only looked for a length made none."""
    ms: Milliseconds = Milliseconds()
    cache: CacheFigures = CacheFigures()


class Failure(WireModel):
    code: str
    message: str


class EngineState(StrEnum):
    LOADING = "loading"
    READY = "ready"
    IDLE = "idle"
    """The model is unloaded; the next request loads it."""
    FAILED = "failed"
    DRAINING = "draining"


class Health(WireModel):
    version: str
    model: str
    state: EngineState
    detail: str = ""
    """One line for people: what is being loaded and how far, or what failed."""
    fraction: float | None = None
    """Progress of loading, 0 to 1, where it is known."""
    pid: int
