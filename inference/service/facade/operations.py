"""Every route in a table: what it reads, what it writes, how it may refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.service.deep_health import DeepHealth
from midfill.inference.service.facade import llama_forms, ollama, openai_forms
from midfill.inference.service.facade.faults import FaultReply
from midfill.inference.service.facade.health_reply import HealthReply
from midfill.inference.wire import Failure, Health, InfillRequest
from midfill.inference.wire_prompt import ShownPrompt

if TYPE_CHECKING:
    from pydantic import BaseModel

EVENTS = "text/event-stream"
LINES = "application/x-ndjson"


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
        refusal: the form of its refusals.
        refusals: statuses of its own that they may have.
    """

    method: str
    path: str
    says: str
    reads: type[BaseModel] | None = None
    writes: type[BaseModel] | None = None
    status: int = 200
    streams: str = ""
    only_streams: bool = False
    refusal: type[BaseModel] = FaultReply
    refusals: tuple[int, ...] = ()


FILLING = (400, 413, 429, 500, 503)
"""How a request that another tool sends to be filled may be refused."""

OWN = (413, 422, 429, 500, 503)
"""The same of requests in the engine's own form."""

OPERATIONS = (
    Operation(
        "post",
        "/v1/completions",
        "Fill a hole, as OpenAI's completions.",
        openai_forms.CompletionRequest,
        openai_forms.Completion,
        streams=EVENTS,
        refusals=FILLING,
    ),
    Operation(
        "post",
        "/v1/fim/completions",
        "Fill a hole, as Mistral's FIM completions.",
        openai_forms.FimCompletionRequest,
        openai_forms.FimCompletion,
        streams=EVENTS,
        refusals=FILLING,
    ),
    Operation("get", "/v1/models", "The engine's one model.", writes=openai_forms.Models),
    Operation(
        "post",
        "/infill",
        "Fill a hole, as llama.cpp's server.",
        llama_forms.LlamaInfillRequest,
        streams=EVENTS,
        refusals=FILLING,
    ),
    Operation(
        "post",
        "/completion",
        "Go on with a text or fill its hole, as llama.cpp's server.",
        llama_forms.LlamaCompletionRequest,
        streams=EVENTS,
        refusals=FILLING,
    ),
    Operation(
        "get", "/v1/health", "Whether requests can be answered, as llama.cpp's.", refusals=(503,)
    ),
    Operation(
        "post",
        "/api/generate",
        "Fill a hole, as Ollama.",
        ollama.GenerateRequest,
        ollama.GenerateReply,
        streams=LINES,
        refusals=FILLING,
    ),
    Operation("get", "/api/tags", "The engine's one model, as Ollama.", writes=ollama.Tags),
    Operation(
        "post",
        "/v1/infill",
        "Fill a hole: events draft, then final or error.",
        InfillRequest,
        streams=EVENTS,
        only_streams=True,
        refusal=Failure,
        refusals=OWN,
    ),
    Operation(
        "post",
        "/v1/prompt",
        "What the model would be given; nothing is filled.",
        InfillRequest,
        ShownPrompt,
        refusal=Failure,
        refusals=OWN,
    ),
    Operation("get", "/health", "The engine's state.", writes=HealthReply),
    Operation(
        "get",
        "/health/deep",
        "Whether a tiny hole has just been filled.",
        writes=DeepHealth,
        refusal=Failure,
        refusals=(503,),
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
    Operation(
        "post",
        "/v1/load",
        "Load the model.",
        writes=Health,
        status=202,
        refusal=Failure,
        refusals=(503,),
    ),
    Operation("post", "/v1/forget", "Let go of all text.", writes=Health, status=202),
    Operation("post", "/v1/drain", "Answer what runs, then exit.", writes=Health, status=202),
    Operation("get", "/openapi.json", "This description."),
)
