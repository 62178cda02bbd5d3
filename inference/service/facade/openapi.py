"""``GET /openapi.json``: every route, with the forms that its handlers read and write.

Source: the OpenAPI Specification 3.1.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from midfill.inference.service.facade.operations import OPERATIONS, Operation
from midfill.inference.version import version

if TYPE_CHECKING:
    from pydantic import BaseModel
    from starlette.requests import Request

JSON = "application/json"


async def described(request: Request) -> Response:
    return Response(_json(), media_type=JSON)


@cache
def _json() -> str:
    return json.dumps(description(), separators=(",", ":"))


def description() -> dict[str, Any]:
    """The description as an OpenAPI object."""
    read = {operation.reads for operation in OPERATIONS if operation.reads}
    written = {operation.writes for operation in OPERATIONS if operation.writes}
    forms = [(form, "validation") for form in sorted(read, key=_name)]
    written |= {operation.errors.schema for operation in OPERATIONS}
    forms += [(form, "serialization") for form in sorted(written, key=_name)]
    references, definitions = models_json_schema(
        forms,  # type: ignore[arg-type]
        ref_template="#/components/schemas/{model}",
    )

    def schema(form: type[BaseModel] | None, mode: str) -> dict[str, Any]:
        return references[form, mode] if form else {}  # type: ignore[index]

    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, schema)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Midfill", "version": version()},
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        # an engine on a Unix socket asks for none
        "security": [{"token": []}, {}],
    }


def _name(form: type[BaseModel]) -> str:
    return form.__name__


def _described(operation: Operation, schema: Any) -> dict[str, Any]:  # noqa: ANN401 (a closure)
    content: dict[str, Any] = {}
    if not operation.only_streams:
        content[JSON] = {"schema": schema(operation.writes, "serialization")}
    if operation.streams:
        content[operation.streams] = {}
    refusal = {JSON: {"schema": schema(operation.errors.schema, "serialization")}}
    responses: dict[str, Any] = {
        str(operation.status): {"description": "The answer.", "content": content}
    }
    for status in operation.refusals:
        responses[str(status)] = {"description": "A refusal.", "content": refusal}
    described: dict[str, Any] = {"summary": operation.says, "responses": responses}
    if operation.reads:
        form = {"schema": schema(operation.reads, "validation")}
        described["requestBody"] = {"required": True, "content": {JSON: form}}
    return described
