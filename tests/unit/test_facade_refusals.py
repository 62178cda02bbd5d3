"""How requests of OpenAI's form are refused, and what is let through."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from facade_replies import parts_of
from serving import eventually, serving
from stepping_engine import SteppingEngine
from writing_engine import WritingEngine

from midfill.inference.service.server import ServiceLimits

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "total += value\n    return total"
HOLE = {"model": "any", "prompt": "def f(x):\n    ", "suffix": "\n\n\nprint(f(1))\n"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b'{"prompt": "\\ud800"}', "surrogate"),
        (b"{}", "prompt"),
        (b'{"prompt": ["a", "b"]}', "prompt should be one text"),
        (b'{"prompt": [1, 2, 3]}', "prompt should be one text"),
        (b'{"prompt": [[1, 2], [3]]}', "ids of tokens, are not filled"),
        (b'{"prompt": []}', "prompt should be one text"),
        (b'{"prompt": null}', "prompt should be one text"),
        (b'{"prompt": "", "n": 99}', "n should be less than"),
    ],
)
async def test_a_bad_request_is_refused_as_openai_does(
    body: bytes, words: str, tmp_path: Path
) -> None:
    async with serving(WritingEngine(TEXT), tmp_path) as service:
        response = await service.http.post("/v1/completions", content=body)

    error = response.json()["error"]
    assert response.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert words in error["message"]


async def test_fields_that_are_not_known_are_ignored(tmp_path: Path) -> None:
    async with serving(WritingEngine(TEXT), tmp_path) as service:
        more = {"user": "me", "best_of": 4, "logit_bias": {"50256": -100}}
        told = await service.http.post("/v1/completions", json={**HOLE, **more})

    assert told.json()["choices"][0]["text"] == TEXT


async def test_a_whole_number_may_be_written_with_a_point(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        whole = {**HOLE, "max_tokens": 20.0, "n": 1.0}
        assert (await service.http.post("/v1/completions", json=whole)).status_code == 200
        refused = await service.http.post("/v1/completions", json={**HOLE, "max_tokens": 20.5})

    assert engine.asked[0].limits.tokens == 20
    assert refused.status_code == 400


async def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    engine.going.clear()
    async with serving(engine, tmp_path, ServiceLimits(places=1)) as service:
        running = asyncio.create_task(service.http.post("/v1/completions", json=HOLE))
        await eventually(lambda: engine.asked)
        refused = await service.http.post("/v1/completions", json={**HOLE, "prompt": "other"})
        engine.going.set()
        assert (await running).status_code == 200

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"]["type"] == "rate_limit_error"


async def test_an_engine_that_fails_says_so_in_either_form(tmp_path: Path) -> None:
    async with serving(FailingEngine(), tmp_path) as service:
        whole = await service.http.post("/v1/completions", json=HOLE)
        streamed = await service.http.post("/v1/completions", json={**HOLE, "stream": True})

    assert whole.status_code == 500
    assert whole.json()["error"]["type"] == "server_error"
    assert parts_of(streamed)[-1]["error"]["type"] == "server_error"


async def test_ollama_is_told_in_ollamas_form(tmp_path: Path) -> None:
    asked = {"model": "any", "prompt": "def f(", "suffix": ")"}
    async with serving(FailingEngine(), tmp_path) as service:
        bad = await service.http.post("/api/generate", json={"prompt": 7})
        whole = await service.http.post("/api/generate", json={**asked, "stream": False})
        lines = await service.http.post("/api/generate", json=asked)

    assert (bad.status_code, whole.status_code) == (400, 500)
    assert "prompt" in bad.json()["error"]
    for told in (whole.json(), json.loads(lines.text.splitlines()[-1])):
        assert isinstance(told["error"], str)


async def test_llama_cpps_errors_carry_the_status(tmp_path: Path) -> None:
    async with serving(FailingEngine(), tmp_path) as service:
        bad = await service.http.post("/completion", json={"prompt": [1, 2]})
        streamed = await service.http.post("/completion", json={"prompt": "f(", "stream": True})

    assert bad.status_code == bad.json()["error"]["code"] == 400
    assert parts_of(streamed)[-1]["error"]["code"] == 500


class FailingEngine(SteppingEngine):
    def infill(self, request: object, *more: object) -> object:  # type: ignore[override]
        raise RuntimeError(f"stumbled over {request}")
