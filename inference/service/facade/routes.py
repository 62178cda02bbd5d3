"""The routes that other tools know.

==============================  ================================================================
``POST /v1/completions``        OpenAI: a prompt, with a suffix or with a family's markers
``POST /v1/fim/completions``    Mistral: the same in its form
``GET /v1/models``              the engine's one model
``POST /infill``                llama.cpp: lines before, the line, what follows, other files
``POST /completion``            llama.cpp: a prompt with a family's markers
``GET /v1/health``              llama.cpp: 503 until requests can be answered
``POST /api/generate``          Ollama: a prompt, with a suffix or with a family's markers
``GET /api/tags``               Ollama: the engine's one model
``GET /openapi.json``           all routes, described
==============================  ================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from midfill.inference.service.facade import llama_routes, ollama, openai_routes
from midfill.inference.service.facade.desk import Desk
from midfill.inference.service.facade.openapi import described

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from midfill.inference.service.presence import Presence
    from midfill.inference.service.status import Status
    from midfill.inference.service.worker import Worker

    Answering = Callable[[Desk, Request], Awaitable[Response]]

HANDLERS: dict[tuple[str, str], Answering] = {
    ("POST", "/v1/completions"): openai_routes.completions,
    ("POST", "/v1/fim/completions"): openai_routes.fim_completions,
    ("GET", "/v1/models"): openai_routes.models,
    ("POST", "/infill"): llama_routes.infill,
    ("POST", "/completion"): llama_routes.completion,
    ("GET", "/v1/health"): llama_routes.health,
    ("POST", "/api/generate"): ollama.generate,
    ("GET", "/api/tags"): ollama.tags,
}


def facade_routes(worker: Worker, status: Status, presence: Presence) -> list[Route]:
    """The routes over an engine's worker, in the same queue as everybody's requests."""
    desk = Desk(worker, status, presence)
    return [
        Route("/openapi.json", described, methods=["GET"]),
        *(_route(desk, method, path, handler) for (method, path), handler in HANDLERS.items()),
    ]


def _route(desk: Desk, method: str, path: str, handler: Answering) -> Route:
    async def endpoint(request: Request) -> Response:
        return await handler(desk, request)

    return Route(path, endpoint, methods=[method])
