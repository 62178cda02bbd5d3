from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import Mock

import jsonschema
import pytest
from serving import serving
from starlette.routing import Route
from writing_engine import WritingEngine

from midfill.inference.service.app import EngineApp
from midfill.inference.service.facade.openapi import description
from midfill.inference.service.facade.operations import OPERATIONS

if TYPE_CHECKING:
    from pathlib import Path

HOLE = {"prompt": "x = ", "suffix": "\n"}
ANSWERED = [
    ("/v1/completions", HOLE),
    ("/v1/fim/completions", HOLE),
    ("/api/generate", {**HOLE, "stream": False}),
]


async def test_every_route_is_described_and_nothing_else() -> None:
    app = EngineApp(Mock(), Mock(), Mock(), Mock(), Mock()).starlette()
    served = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }

    assert {(it.method.upper(), it.path) for it in OPERATIONS} == served


def test_every_reference_leads_somewhere() -> None:
    whole = description()
    schemas = whole["components"]["schemas"]

    def references(part: object) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*(references(value) for value in part.values()))
        if isinstance(part, list):
            return set().union(*(references(value) for value in part))
        return set()

    found = references(whole)
    assert found
    assert {reference.removeprefix("#/components/schemas/") for reference in found} <= set(schemas)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("path", "asked"), ANSWERED)
async def test_answers_are_as_they_are_described(
    path: str, asked: dict[str, object], tmp_path: Path
) -> None:
    async with serving(WritingEngine("1"), tmp_path) as service:
        whole = (await service.http.get("/openapi.json")).json()
        answer = await service.http.post(path, json=asked)
        refusal = await service.http.post(path, json={})

    def check(response: object, status: str) -> None:
        told = whole["paths"][path]["post"]["responses"][status]["content"]["application/json"]
        jsonschema.validate(response, {**told["schema"], "components": whole["components"]})

    check(answer.json(), "200")
    check(refusal.json(), "400")


async def test_what_the_description_allows_is_what_a_form_allows(tmp_path: Path) -> None:
    async with serving(WritingEngine("1"), tmp_path) as service:
        whole = (await service.http.get("/openapi.json")).json()
        for path, asked in ANSWERED:
            form = whole["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            schema = {**form["schema"], "components": whole["components"]}
            for body in (asked, {**asked, "stop": ["a"]}, {**asked, "prompt": 5}, {}, []):
                response = await service.http.post(path, json=body)
                valid = jsonschema.Draft202012Validator(schema).is_valid(body)
                assert (response.status_code == 200) == valid, (path, body)
