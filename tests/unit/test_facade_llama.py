"""llama.cpp's and Ollama's routes over a service with an engine that writes."""

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
from midfill.inference.wire import Stop

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "total += value\n    return total"
HOLE = {
    "input_prefix": "def f(x):\n",
    "prompt": "    ",
    "input_suffix": "\n\n\nprint(f(1))\n",
    "seed": 0,
}


async def test_the_hole_lies_between_the_line_and_what_follows(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    extra = [
        {"text": "A = 1\n", "filename": "old.py", "time": 1},
        {"text": "password = 'x'\n", "filename": "deploy/.env"},
        {"text": "B = 2\n", "filename": "new.py"},
    ]
    async with serving(engine, tmp_path) as service:
        response = await service.http.post("/infill", json={**HOLE, "input_extra": extra})

    (asked,) = engine.asked
    assert (asked.prefix, asked.suffix) == ("def f(x):\n    ", HOLE["input_suffix"])
    assert [file.path for file in asked.context] == ["old.py", "new.py"]
    assert response.text.startswith('{"index":0,"content":"total += value\\n')


async def test_no_blank_stands_where_llama_vim_allows_none(tmp_path: Path) -> None:
    async with serving(WritingEngine("x"), tmp_path) as service:
        response = await service.http.post("/infill", json=HOLE)

    assert '"content":"x"' in response.text
    assert json.dumps(response.json(), separators=(",", ":")) == response.text


async def test_only_the_fields_that_are_asked_for_come_back(tmp_path: Path) -> None:
    wanted = ["content", "timings/prompt_n", "timings/predicted_per_second", "truncated", "no/such"]
    async with serving(WritingEngine("x"), tmp_path) as service:
        some = await service.http.post("/infill", json={**HOLE, "response_fields": wanted})
        none = await service.http.post("/infill", json={**HOLE, "response_fields": [""]})

    assert some.json() == {
        "content": "x",
        "timings/prompt_n": 20,
        "timings/predicted_per_second": 350.0,
        "truncated": False,
    }
    assert none.text == "{}"


async def test_a_warm_up_is_answered_at_once_and_gives_way_to_a_request(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    engine.going.clear()
    async with serving(engine, tmp_path) as service:
        warm = await service.http.post("/infill", json={**HOLE, "n_predict": 0})
        await eventually(lambda: engine.asked)
        request = asyncio.create_task(service.http.post("/infill", json=HOLE))
        await eventually(lambda: len(engine.asked) == 2)
        engine.going.set()
        answer = await request

    assert warm.json()["content"] == ""
    assert (engine.asked[0].limits.tokens, engine.cancelled) == (1, 1)
    assert answer.json()["content"] == TEXT


async def test_a_warm_up_is_a_stream_where_one_is_asked_for(tmp_path: Path) -> None:
    async with serving(WritingEngine(TEXT), tmp_path) as service:
        none = {**HOLE, "n_predict": 0, "stream": True}
        (last,) = parts_of(await service.http.post("/infill", json=none))

    assert (last["content"], last["stop"]) == ("", True)


async def test_a_line_indented_less_ends_the_answer(tmp_path: Path) -> None:
    async with serving(WritingEngine("x\n        y\n    z"), tmp_path) as service:
        response = await service.http.post("/infill", json={**HOLE, "n_indent": 8})

    assert response.json()["content"] == "x\n        y"


@pytest.mark.parametrize(
    ("times", "milliseconds"),
    [
        ({"t_max_prompt_ms": 500, "t_max_predict_ms": 250}, 750),
        ({"t_max_predict_ms": 500}, 1000),
        ({"t_max_prompt_ms": 500}, 3000),
        ({"t_max_predict_ms": -1}, 3000),
        ({}, 3000),
    ],
)
async def test_time_limits_are_the_engines_deadline(
    times: dict[str, int], milliseconds: int, tmp_path: Path
) -> None:
    engine = WritingEngine("x")
    async with serving(engine, tmp_path) as service:
        await service.http.post("/infill", json={**HOLE, **times})

    # the wait in the queue has been taken off
    assert 0 <= milliseconds - engine.asked[0].limits.deadline_ms < 200


async def test_several_results_come_as_a_list_of_different_ones(tmp_path: Path) -> None:
    async with serving(WritingEngine("one", "two"), tmp_path) as service:
        response = await service.http.post("/infill", json={**HOLE, "n_cmpl": 4})
        single = await service.http.post("/infill", json={**HOLE, "n_cmpl": 1})

    assert [answer["content"] for answer in response.json()] == ["one", "two"]
    assert single.json()["content"] == "one"


async def test_a_stream_ends_with_the_one_that_stops(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT, stop=Stop.TOKEN_LIMIT)
    async with serving(engine, tmp_path) as service:
        response = await service.http.post("/completion", json={"prompt": "f(", "stream": True})

    *chunks, last = parts_of(response)
    assert "".join(chunk["content"] for chunk in chunks) == TEXT
    assert not any(chunk["stop"] for chunk in chunks)
    assert (last["content"], last["stop"], last["stop_type"]) == ("", True, "limit")


async def test_a_full_queue_is_no_error_to_who_would_pop_it_up(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    engine.going.clear()
    async with serving(engine, tmp_path, ServiceLimits(places=1)) as service:
        running = asyncio.create_task(service.http.post("/infill", json=HOLE))
        await eventually(lambda: engine.asked)
        infill = await service.http.post("/infill", json=HOLE)
        completion = await service.http.post("/completion", json={"prompt": "f("})
        engine.going.set()
        assert (await running).json()["content"] == TEXT

    assert (infill.status_code, infill.json()["content"]) == (200, "")
    assert int(infill.headers["Retry-After"]) >= 1
    assert completion.status_code == 429


async def test_health_is_ok_once_the_model_is_loaded(tmp_path: Path) -> None:
    engine = SteppingEngine(load_seconds=0.5)
    async with serving(engine, tmp_path) as service:
        loading = await service.http.get("/v1/health")
        own = await service.http.get("/health")

        async def ready() -> bool:
            return (await service.http.get("/v1/health")).status_code == 200

        while not await ready():
            await asyncio.sleep(0.01)
        ready_own = await service.http.get("/health")

    assert (loading.status_code, loading.json()["error"]["message"]) == (503, "Loading model")
    assert (own.status_code, own.json()["status"]) == (200, "loading model")
    assert (ready_own.json()["status"], ready_own.json()["state"]) == ("ok", "ready")


async def test_a_draining_engine_refuses_what_is_new(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    engine.going.clear()
    async with serving(engine, tmp_path) as service:
        running = asyncio.create_task(service.http.post("/infill", json=HOLE))
        await eventually(lambda: engine.asked)
        await service.http.post("/v1/drain")
        refused = await service.http.post("/completion", json={"prompt": "f("})
        engine.going.set()
        await running

    assert refused.status_code == 503
    assert refused.json()["error"]["type"] == "unavailable_error"
    assert int(refused.headers["Retry-After"]) >= 1


async def test_ollama_is_answered_in_lines_or_at_once(tmp_path: Path) -> None:
    asked = {"model": "any", "prompt": "def f(", "suffix": ")", "options": {"num_predict": 9}}
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        tags = await service.http.get("/api/tags")
        lines = await service.http.post("/api/generate", json=asked)
        whole = await service.http.post("/api/generate", json={**asked, "stream": False})

    assert [model["name"] for model in tags.json()["models"]] == ["embedded"]
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    *parts, last = map(json.loads, lines.text.splitlines())
    assert "".join(part["response"] for part in parts) == TEXT
    assert (last["response"], last["done"], last["done_reason"]) == ("", True, "stop")
    assert (whole.json()["response"], whole.json()["eval_count"]) == (TEXT, 7)
    assert {request.limits.tokens for request in engine.asked} == {9}


async def test_ollamas_empty_prompt_only_has_the_model_loaded(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        loads = await service.http.post("/api/generate", json={"model": "any", "prompt": ""})
        await service.http.post(
            "/api/generate", json={"prompt": "f(", "options": {"num_predict": 0}}
        )

    assert (loads.json()["done"], loads.json()["done_reason"]) == (True, "load")
    assert [request.limits.tokens for request in engine.asked] == [512]
