"""Every tool's own requests, in the form in which it sends them, and what it reads of the answer.

Sources: the sources of Zed, minuet-ai.nvim, Continue, llama.vim and llama.vscode.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from facade_replies import parts_of
from serving import eventually, serving
from writing_engine import WritingEngine

from midfill.inference.service.facade.shared_fills import SharedFills
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PREFIX = "def area(radius):\n    return "
SUFFIX = "\n\n\nprint(area(2))\n"
TEXT = "3.14159 * radius ** 2"

QWEN = f"<|fim_prefix|>{PREFIX}<|fim_suffix|>{SUFFIX}<|fim_middle|>"

ZED_STOPS = [
    *("<|endoftext|>", "<|file_sep|>", "<|fim_pad|>", "<|fim_prefix|>"),
    *("<|fim_middle|>", "<|fim_suffix|>", "<fim_prefix>", "<fim_middle>"),
    *("<fim_suffix>", "<PRE>", "<SUF>", "<MID>", "[PREFIX]", "[SUFFIX]"),
]
CONTINUE_STOPS = [
    *("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>", "<|im_start|>", "<|im_end|>", "/src/", "#- coding: utf-8"),
]

ZED = {"model": "qwen", "prompt": QWEN, "max_tokens": 64, "stop": ZED_STOPS}
MINUET = {
    "model": "any",
    "stream": True,
    "prompt": f"# language: python\n# indentation: use 4 spaces for a tab\n{PREFIX}",
    "suffix": SUFFIX,
    "max_tokens": 56,
    "top_p": 0.9,
}
CONTINUE_FIM = {
    "model": "any",
    "prompt": PREFIX,
    "suffix": SUFFIX,
    "max_tokens": 4096,
    "temperature": 0.01,
    "top_p": None,
    "frequency_penalty": None,
    "presence_penalty": None,
    "stop": CONTINUE_STOPS,
    "stream": True,
}
CONTINUE_LEGACY = {**CONTINUE_FIM, "prompt": QWEN}
del CONTINUE_LEGACY["suffix"]
CONTINUE_LLAMA = {
    "prompt": QWEN,
    "stream": True,
    "n_predict": 4096,
    "temperature": 0.01,
    "top_k": None,
    "min_p": None,
    "mirostat": None,
    "stop": CONTINUE_STOPS,
}
LLAMA_VIM = {
    "id_slot": 0,
    "input_prefix": "def area(radius):\n",
    "input_suffix": SUFFIX,
    "input_extra": [{"text": "PI = 3\n", "time": [12, 3456], "filename": "lib.py"}],
    "prompt": "    return ",
    "n_predict": 128,
    "stop": [],
    "n_indent": 4,
    "top_k": 40,
    "top_p": 0.9,
    "samplers": ["top_k", "top_p", "infill"],
    "stream": False,
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 250,
    "response_fields": [
        "content",
        "timings/prompt_n",
        "timings/prompt_ms",
        "timings/prompt_per_token_ms",
        "timings/prompt_per_second",
        "timings/predicted_n",
        "timings/predicted_ms",
        "timings/predicted_per_token_ms",
        "timings/predicted_per_second",
        "truncated",
        "tokens_cached",
    ],
}
LLAMA_VIM_WARM_UP = {
    **LLAMA_VIM,
    "input_prefix": "",
    "input_suffix": "",
    "prompt": "",
    "n_predict": 0,
    "temperature": 0.0,
    "samplers": [],
    "t_max_prompt_ms": 1,
    "t_max_predict_ms": 1,
    "response_fields": [""],
}
LLAMA_VSCODE = {
    "input_prefix": "def area(radius):\n",
    "input_suffix": SUFFIX,
    "input_extra": [],
    "prompt": "    return ",
    "n_predict": 128,
    "n_cmpl": 3,
    "top_k": 40,
    "top_p": 0.99,
    "stream": False,
    "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 500,
    "n_indent": 4,
}
ZED_OLLAMA = {
    "model": "any",
    "prompt": QWEN,
    "raw": True,
    "stream": False,
    "options": {"num_predict": 64, "temperature": 0.2, "stop": ZED_STOPS[:4]},
}
CONTINUE_OLLAMA = {
    "model": "any",
    "prompt": PREFIX,
    "suffix": SUFFIX,
    "raw": True,
    "options": {"num_predict": 1024, "temperature": 0.01, "num_ctx": 8096, "stop": CONTINUE_STOPS},
    "keep_alive": 1800,
}


def _zed(body: str) -> str:
    told = json.loads(body)
    assert {"id", "object", "model"} <= told.keys()
    assert isinstance(told["created"], int)
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= told["usage"].keys()
    return str(told["choices"][0]["text"])


def _streamed(text_of: Callable[[Any], str]) -> Callable[[str], str]:
    def read(body: str) -> str:
        parts = [line.removeprefix("data: ") for line in body.split("\n") if line]
        return "".join(text_of(json.loads(part)) for part in parts if part != "[DONE]")

    return read


def _llama_vim(body: str) -> str:
    assert body.startswith("{")
    assert '"content":"' in body
    assert "timings/predicted_n" in body
    return str(json.loads(body)["content"])


legacy = _streamed(lambda part: part["choices"][0]["text"])
delta = _streamed(lambda part: part["choices"][0]["delta"]["content"])

CLIENTS = {
    "Zed": ("/v1/completions", ZED, _zed),
    "minuet, openai_fim_compatible": ("/v1/completions", MINUET, legacy),
    "minuet, markers": (
        "/v1/completions",
        {"model": "any", "stream": True, "prompt": QWEN, "max_tokens": 56},
        legacy,
    ),
    "minuet, codestral": ("/v1/fim/completions", MINUET, delta),
    "minuet, codestral, not streamed": (
        "/v1/fim/completions",
        {**MINUET, "stream": False},
        lambda body: json.loads(body)["choices"][0]["message"]["content"],
    ),
    "Continue, mistral": ("/v1/fim/completions", CONTINUE_FIM, delta),
    "Continue, openai and vllm": ("/v1/completions", CONTINUE_LEGACY, legacy),
    "Continue, llama.cpp": (
        "/completion",
        CONTINUE_LLAMA,
        _streamed(lambda part: part["content"]),
    ),
    "llama.vim": ("/infill", LLAMA_VIM, _llama_vim),
    "llama.vscode": ("/infill", LLAMA_VSCODE, lambda body: json.loads(body)[0]["content"]),
    "Zed, Ollama": ("/api/generate", ZED_OLLAMA, lambda body: json.loads(body)["response"]),
    "Continue, Ollama": (
        "/api/generate",
        CONTINUE_OLLAMA,
        lambda body: "".join(json.loads(line)["response"] for line in body.splitlines()),
    ),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_tools_own_request_is_answered_as_it_reads_it(name: str, tmp_path: Path) -> None:
    path, asked, read = CLIENTS[name]
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        response = await service.http.post(path, json=asked)

    assert response.status_code == 200
    assert read(response.text) == TEXT
    (request,) = engine.asked
    assert request.prefix.endswith(PREFIX)
    assert request.suffix == SUFFIX
    assert request.hole.extent is Extent.STATEMENT


async def test_llama_vims_warm_up_reads_the_chunks(tmp_path: Path) -> None:
    engine = WritingEngine(TEXT)
    async with serving(engine, tmp_path) as service:
        response = await service.http.post("/infill", json=LLAMA_VIM_WARM_UP)
        await eventually(lambda: engine.asked)

    assert response.text == "{}"
    (request,) = engine.asked
    assert [file.path for file in request.context] == ["lib.py"]


async def test_minuets_identical_requests_get_different_suggestions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = WritingEngine("one", "two", "three", characters=1)
    engine.going.clear()
    begun = []
    begin = SharedFills.begin
    monkeypatch.setattr(
        SharedFills, "begin", lambda *arguments: begun.append(1) or begin(*arguments)
    )
    async with serving(engine, tmp_path) as service:
        copies = [
            asyncio.create_task(service.http.post("/v1/completions", json=MINUET)) for _ in range(3)
        ]
        await eventually(lambda: len(begun) == 3 and engine.asked)
        engine.going.set()
        answers = await asyncio.gather(*copies)

    texts = ["".join(part["choices"][0]["text"] for part in parts_of(one)) for one in answers]
    assert sorted(texts) == ["one", "three", "two"]
    assert [request.n for request in engine.asked] == [1, 3]
