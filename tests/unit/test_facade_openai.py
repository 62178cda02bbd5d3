"""OpenAI's completions and Mistral's FIM completions over a service with an engine that writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest
from facade_replies import parts_of
from serving import eventually, serving
from writing_engine import WritingEngine

from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

TEXT = "total += value\n    return total"
HOLE = {"model": "any", "prompt": "def f(x):\n    ", "suffix": "\n\n\nprint(f(1))\n"}


async def complete(http: httpx.AsyncClient, **more: object) -> dict[str, Any]:
    response = await http.post("/v1/completions", json={**HOLE, **more})
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_completion_has_every_field_of_its_form(tmp_path: Path) -> None:
    async with serving(WritingEngine(TEXT), tmp_path) as service:
        told = await complete(service.http)

    assert told["object"] == "text_completion"
    assert isinstance(told["id"], str)
    assert isinstance(told["created"], int)
    assert told["model"] == "embedded"
    assert told["usage"] == {"prompt_tokens": 120, "completion_tokens": 7, "total_tokens": 127}
    (choice,) = told["choices"]
    assert choice == {"index": 0, "text": TEXT, "logprobs": None, "finish_reason": "stop"}


async def test_prompt_and_suffix_are_the_hole_and_markers_in_them_are_text(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    marked = "a = '<|fim_prefix|>b<|fim_suffix|>c<|fim_middle|>'\n"
    async with serving(engine, tmp_path) as service:
        await complete(service.http, prompt=marked, suffix="end")
        await complete(service.http, prompt=marked, suffix="")

    assert [(it.prefix, it.suffix) for it in engine.asked] == [(marked, "end"), ("b'\n", "c")]


async def test_a_line_break_among_the_stop_strings_asks_for_one_line(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        several = await complete(service.http)
        one = await complete(service.http, stop=["\n"])

    assert several["choices"][0]["text"] == TEXT
    assert one["choices"][0] == {
        "index": 0,
        "text": "total += value",
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert [request.hole.extent for request in engine.asked] == [Extent.LINES, Extent.LINE]


@pytest.mark.parametrize(
    ("prompt", "suffix", "extent"),
    [
        ("x = 1\n", "\nprint(x)\n", Extent.LINES),
        ("def f():\n    ", "\nf()\n", Extent.LINES),
        ("def f():", "\nf()\n", Extent.LINES),
        ("x = ", "", Extent.LINES),
        ("x = ", "\nprint(x)\n", Extent.STATEMENT),
        ("x = 1\r\ny = f(", ")\r\n", Extent.STATEMENT),
    ],
)
async def test_how_far_a_fill_may_go_follows_from_where_it_begins(
    prompt: str, suffix: str, extent: Extent, tmp_path: Path
) -> None:
    engine = WritingEngine("1")
    async with serving(engine, tmp_path) as service:
        await complete(service.http, prompt=prompt, suffix=suffix)

    assert engine.asked[0].hole.extent is extent


async def test_limits_are_passed_on_and_a_text_cut_short_says_so(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT, stop=Stop.TOKEN_LIMIT)
    async with serving(engine, tmp_path) as service:
        told = await complete(service.http, max_tokens=20, deadline_ms=700, temperature=0.5, seed=9)
        await complete(service.http, max_tokens=100_000)

    asked, greedy = engine.asked
    assert told["choices"][0]["finish_reason"] == "length"
    assert (asked.limits.tokens, greedy.limits.tokens) == (20, 512)
    # the wait in the queue has been taken off
    assert 500 < asked.limits.deadline_ms <= 700
    assert 2800 < greedy.limits.deadline_ms <= 3000
    assert (asked.temperature, asked.seed) == (0.5, 9)


async def test_no_tokens_at_all_ask_the_engine_nothing(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        told = await complete(service.http, max_tokens=0, echo=True)

    assert told["choices"][0]["text"] == HOLE["prompt"]
    assert told["choices"][0]["finish_reason"] == "length"
    assert engine.asked == []


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/fim/completions"])
async def test_no_tokens_at_all_are_a_stream_where_one_is_asked_for(
    path: str, tmp_path: Path
) -> None:
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        none = {**HOLE, "max_tokens": 0, "stream": True}
        response = await service.http.post(path, json=none)

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n")
    (part,) = parts_of(response)
    assert part["choices"][0]["finish_reason"] == "length"
    assert engine.asked == []


@pytest.mark.parametrize("suffix", [None, ""])
@pytest.mark.parametrize("prompt", ["", [""], ["def f(): "]])
async def test_a_prompt_without_a_suffix_or_without_a_text_is_gone_on_with(
    prompt: object, suffix: object, tmp_path: Path
) -> None:
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        told = await complete(service.http, prompt=prompt, suffix=suffix)

    assert told["choices"][0]["text"] == TEXT
    assert engine.asked[0].suffix == ""


async def test_several_choices_are_the_fill_and_its_alternatives(tmp_path: Path) -> None:
    async with serving(WritingEngine("one", "two"), tmp_path) as service:
        told = await complete(service.http, n=3)
        streamed = await service.http.post("/v1/completions", json={**HOLE, "n": 3, "stream": True})

    assert [choice["text"] for choice in told["choices"]] == ["one", "two", "one"]
    texts = ["", "", ""]
    for part in parts_of(streamed):
        texts[part["choices"][0]["index"]] += part["choices"][0]["text"]
    assert texts == ["one", "two", "one"]


async def test_log_probabilities_are_told_to_who_asks(tmp_path: Path) -> None:
    async with serving(WritingEngine(TEXT), tmp_path) as service:
        told = await complete(service.http, logprobs=0)

    assert told["choices"][0]["logprobs"]["token_logprobs"] == [-0.25, -0.5]


async def test_a_marker_is_never_part_of_an_answer(tmp_path: Path) -> None:
    async with serving(WritingEngine("x = 1<|fim_middle|>y"), tmp_path) as service:
        whole = await complete(service.http)
        response = await service.http.post("/v1/completions", json={**HOLE, "stream": True})

    assert whole["choices"][0]["text"] == "x = 1"
    assert "".join(part["choices"][0]["text"] for part in parts_of(response)) == "x = 1"


async def test_a_stream_tells_what_is_certain_and_then_the_rest(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    asked = {**HOLE, "stream": True, "stream_options": {"include_usage": True}}
    async with serving(engine, tmp_path) as service:
        response = await service.http.post("/v1/completions", json=asked)

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n")
    *chunks, last, usage = parts_of(response)
    assert [chunk["choices"][0]["text"] for chunk in chunks] == [
        "total += value",
        "\n    return total",
    ]
    assert {chunk["choices"][0]["finish_reason"] for chunk in chunks} == {None}
    assert last["choices"][0] == {
        "index": 0,
        "text": "",
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 127


async def test_another_models_drafts_are_not_certain(tmp_path: Path) -> None:
    async with serving(WritingEngine(TEXT, model="big"), tmp_path) as service:
        response = await service.http.post("/v1/completions", json={**HOLE, "stream": True})

    first, _ = parts_of(response)
    assert first["choices"][0]["text"] == TEXT


async def test_a_stop_string_ends_a_stream_and_the_engines_work(tmp_path: Path) -> None:
    engine = WritingEngine("total = first(second) + third\n", characters=1, step_seconds=0.01)
    asked = {**HOLE, "stream": True, "stop": ["\n", "second"], "seed": 1}
    async with serving(engine, tmp_path) as service:
        response = await service.http.post("/v1/completions", json=asked)
        await eventually(lambda: engine.cancelled)

    assert "".join(part["choices"][0]["text"] for part in parts_of(response)) == "total = first("


async def test_whoever_hangs_up_ends_the_work_within_one_step(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    engine.going.clear()
    async with serving(engine, tmp_path) as service:
        for asked in (HOLE, {**HOLE, "stream": True}):
            before = engine.cancelled
            request = asyncio.create_task(service.http.post("/v1/completions", json=asked))
            await eventually(lambda before=before: len(engine.asked) > before)
            request.cancel()
            await eventually(lambda before=before: engine.cancelled > before)

    assert engine.cancelled == 2


async def test_mistrals_form_has_the_text_where_each_client_looks(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        whole = (await service.http.post("/v1/fim/completions", json=HOLE)).json()
        asked = {**HOLE, "stream": True, "random_seed": 4}
        response = await service.http.post("/v1/fim/completions", json=asked)

    (choice,) = whole["choices"]
    assert choice["text"] == choice["message"]["content"] == TEXT
    assert whole["usage"]["completion_tokens"] == 7
    parts = parts_of(response)
    assert "".join(part["choices"][0]["delta"]["content"] for part in parts) == TEXT
    assert parts[-1]["choices"][0]["finish_reason"] == "stop"
    assert engine.asked[-1].seed == 4


async def test_a_mistral_stream_counts_once_however_many_choices_it_has(tmp_path: Path) -> None:
    async with serving(WritingEngine(TEXT, "another"), tmp_path) as service:
        asked = {**HOLE, "stream": True, "n": 2}
        parts = parts_of(await service.http.post("/v1/fim/completions", json=asked))

    assert [part["usage"] is not None for part in parts] == [False] * (len(parts) - 1) + [True]


async def test_the_official_client_is_answered(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT, "another")
    async with serving(engine, tmp_path) as service:
        client = openai.AsyncOpenAI(
            api_key="any", base_url="http://engine/v1", http_client=service.http, max_retries=0
        )
        models = [model.id async for model in client.models.list()]
        whole = await client.completions.create(**HOLE, n=2, max_tokens=64, logprobs=1)
        stream = await client.completions.create(
            **HOLE, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        with pytest.raises(openai.BadRequestError, match="temperature"):
            await client.completions.create(**HOLE, temperature=7)

    assert models == ["embedded"]
    assert [choice.text for choice in whole.choices] == [TEXT, "another"]
    assert whole.choices[0].logprobs.token_logprobs == [-0.25, -0.5]
    assert whole.usage.total_tokens == 127
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == TEXT
    assert chunks[-1].usage.completion_tokens == 7
