"""Every route in a table: what it reads, what it writes, how it may refuse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from midfill.inference.service.deep_health import DeepHealth
from midfill.inference.service.error_forms import OWN, ErrorForm
from midfill.inference.service.facade import llama_forms, ollama, openai_forms
from midfill.inference.service.facade.faults import OPENAI
from midfill.inference.service.facade.health_reply import HealthReply
from midfill.inference.service.facade.llama_faults import LLAMA
from midfill.inference.wire import Health, InfillRequest
from midfill.inference.wire_prompt import ShownPrompt

if TYPE_CHECKING:
    from pydantic import BaseModel

EVENTS = "text/event-stream"
LINES = "application/x-ndjson"

ANYWHERE = (401, 403, 429, 500, 503)
"""How any request may be refused: at the gate of a server with tokens, where somebody asks too
often, by a fault of ours, and where the server is full or about to stop."""

OF_BODIES = (408, 413)
"""How a request with a body may be, beside that: it comes too slowly, or is too large."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        says: what it does, in a sentence.
        reads: the form of its body, if it takes one.
        writes: the form of its answer; None: an object or list without a fixed form.
        status: of its answer.
        streams: in what its answer comes in parts, if it can.
        only_streams: it never comes as a whole.
        errors: the form of its refusals.
    """

    method: str
    path: str
    says: str
    reads: type[BaseModel] | None = None
    writes: type[BaseModel] | None = None
    status: int = 200
    streams: str = ""
    only_streams: bool = False
    errors: ErrorForm = OWN

    @property
    def refusals(self) -> tuple[int, ...]:
        """Statuses that these may have."""
        if self.reads is None:
            return ANYWHERE
        invalid = self.errors.statuses.get("invalid-request", 422)
        return tuple(sorted((*ANYWHERE, *OF_BODIES, invalid)))


_filling = partial(Operation, "post", streams=EVENTS, errors=OPENAI)
_other = partial(Operation, "get", errors=OPENAI)
_told_to = partial(Operation, "post", writes=Health, status=202)

OPERATIONS = (
    _filling(
        "/v1/completions",
        "Fill a hole, as OpenAI's completions.",
        openai_forms.CompletionRequest,
        openai_forms.Completion,
    ),
    _filling(
        "/v1/fim/completions",
        "Fill a hole, as Mistral's FIM completions.",
        openai_forms.FimCompletionRequest,
        openai_forms.FimCompletion,
    ),
    _other("/v1/models", "The engine's one model.", writes=openai_forms.Models),
    _filling(
        "/infill",
        "Fill a hole, as llama.cpp's server.",
        llama_forms.LlamaInfillRequest,
        errors=LLAMA,
    ),
    _filling(
        "/completion",
        "Go on with a text or fill its hole, as llama.cpp's server.",
        llama_forms.LlamaCompletionRequest,
        errors=LLAMA,
    ),
    _other("/v1/health", "Whether requests can be answered, as llama.cpp's.", errors=LLAMA),
    _filling(
        "/api/generate",
        "Fill a hole, as Ollama.",
        ollama.GenerateRequest,
        ollama.GenerateReply,
        streams=LINES,
        errors=ollama.OLLAMA,
    ),
    _other(
        "/api/tags", "The engine's one model, as Ollama.", writes=ollama.Tags, errors=ollama.OLLAMA
    ),
    Operation(
        "post",
        "/v1/infill",
        "Fill a hole: events draft, then final or error.",
        InfillRequest,
        streams=EVENTS,
        only_streams=True,
    ),
    Operation(
        "post",
        "/v1/prompt",
        "What the model would be given; nothing is filled.",
        InfillRequest,
        ShownPrompt,
    ),
    Operation("get", "/health", "The engine's state.", writes=HealthReply),
    Operation(
        "get", "/health/deep", "Whether a tiny hole has just been filled.", writes=DeepHealth
    ),
    Operation(
        "get", "/metrics", "Figures for Prometheus.", streams="text/plain", only_streams=True
    ),
    Operation(
        "get",
        "/v1/events",
        "An event status with the engine's state, now and at every change.",
        streams=EVENTS,
        only_streams=True,
    ),
    _told_to("/v1/load", "Load the model."),
    _told_to("/v1/forget", "Let go of the caller's text."),
    _told_to("/v1/drain", "Answer what runs, then exit."),
    Operation("get", "/openapi.json", "This description."),
)

_ERRORS = {operation.path: operation.errors for operation in OPERATIONS}


def errors_at(path: str) -> ErrorForm:
    """The form of refusals at a path; where there is nothing, of the tool that looks for it."""
    if path in _ERRORS:
        return _ERRORS[path]
    return ollama.OLLAMA if path.startswith("/api/") else OPENAI
