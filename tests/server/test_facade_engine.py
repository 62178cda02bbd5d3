"""Other tools' requests to a ``midfill serve`` with the embedded model."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("embedded_files")

HOLES = {
    "one word": ("def add(a, b):\n    return ", "\n\n\nprint(add(1, 2))\n"),
    "a call": ("def add(a, b):\n    return a + b\n\n\nprint(add(", "))\n"),
    "a body": ("def mean(values):\n", "\n\n\nprint(mean([1, 2, 3]))\n"),
    "the end": ("for number in range(3):\n    print(", ""),
    "Windows": ("def add(a, b):\r\n    ", "\r\n\r\nprint(add(1, 2))\r\n"),
}
READY_WITHIN = 120
"""Seconds that a busy machine may take to load the model."""


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    path = tmp_path_factory.mktemp("facade") / "e.sock"
    engine = subprocess.Popen(
        [sys.executable, "-m", "midfill.lsp", "serve", "--socket", str(path)],
        stderr=subprocess.DEVNULL,
    )
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, base_url="http://engine", timeout=60) as client:
        end = time.monotonic() + READY_WITHIN
        while not _ready(client):
            assert engine.poll() is None
            assert time.monotonic() < end, "the engine is not ready"
            time.sleep(0.1)
        yield client
    engine.terminate()
    engine.wait(30)


def _ready(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/v1/health").status_code == 200
    return False


@pytest.fixture(scope="module")
def client(http: httpx.Client) -> openai.OpenAI:
    return openai.OpenAI(
        api_key="any", base_url="http://engine/v1", http_client=http, max_retries=0
    )


@pytest.mark.parametrize("stop", [None, ["\n"], [")"]], ids=["lines", "line", "bracket"])
@pytest.mark.parametrize("name", HOLES)
def test_a_stream_tells_what_the_whole_answer_says(
    name: str, stop: list[str] | None, client: openai.OpenAI
) -> None:
    prompt, suffix = HOLES[name]
    asked = {"model": "any", "prompt": prompt, "suffix": suffix, "stop": stop, "max_tokens": 24}
    patient = {"deadline_ms": 60_000}
    whole = client.completions.create(**asked, extra_body=patient).choices[0]
    chunks = list(client.completions.create(**asked, stream=True, extra_body=patient))

    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.text
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason
    assert not any(end in whole.text for end in stop or ())


def test_a_hole_written_with_markers_is_the_same_hole(client: openai.OpenAI) -> None:
    prompt, suffix = HOLES["one word"]
    marked = f"<|fim_prefix|>{prompt}<|fim_suffix|>{suffix}<|fim_middle|>"
    answers = [
        client.completions.create(model="any", prompt=prompt, suffix=suffix),
        client.completions.create(model="any", prompt=marked),
    ]

    assert [answer.choices[0].text for answer in answers] == ["a + b", "a + b"]


def test_several_choices_differ_and_have_log_probabilities(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model="any",
        prompt="# three colours and a fruit\nwords = ['",
        suffix="]\n",
        n=3,
        logprobs=1,
        max_tokens=32,
        extra_body={"deadline_ms": 60_000},
    )

    assert len(answer.choices) == 3
    assert len({choice.text for choice in answer.choices}) > 1
    told = answer.choices[0].logprobs.token_logprobs
    assert told
    assert all(value <= 0 for value in told)
    assert answer.usage.completion_tokens > 0


def test_a_warm_up_leaves_little_to_read(http: httpx.Client) -> None:
    hole = {
        "input_prefix": "".join(f"value_{i} = {i}\n" for i in range(60)),
        "prompt": "total = ",
        "input_suffix": "\nprint(total)\n",
        "n_predict": 16,
        "t_max_predict_ms": 60_000,
    }
    assert http.post("/infill", json={**hole, "n_predict": 0}).json()["content"] == ""
    end = time.monotonic() + READY_WITHIN
    while "midfill_queue_length 0.0" not in http.get("/metrics").text:
        assert time.monotonic() < end, "it is not read to its end"
        time.sleep(0.05)
    answer = http.post("/infill", json=hole)

    timings = answer.json()["timings"]
    assert timings["cache_n"] > 10 * timings["prompt_n"]
    assert '"content":"' in answer.text


def test_ollamas_lines_say_the_same_as_its_whole_answer(http: httpx.Client) -> None:
    prompt, suffix = HOLES["one word"]
    asked = {"model": "any", "prompt": prompt, "suffix": suffix}
    lines = http.post("/api/generate", json=asked).text.splitlines()
    whole = http.post("/api/generate", json={**asked, "stream": False}).json()

    assert "".join(json.loads(line)["response"] for line in lines) == whole["response"] == "a + b"
