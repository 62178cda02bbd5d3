"""Served models that `midfill bench` compares with, honest ones and others."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from bench_writers import CODE

from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.measuring.replay import endpoint as module
from midfill.inference.measuring.replay.endpoint import (
    KEY_VARIABLE,
    Endpoint,
    parse_endpoint,
    spelled,
)
from midfill.inference.measuring.replay.prompts import Sides
from midfill.inference.measuring.replay.typed_line import worth_typing
from midfill.inference.vllm.markers import CODE_LLAMA, CODESTRAL, DEEPSEEK, QWEN

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = worth_typing(CODE)[3].request(5)
SIDES = Sides("before", "behind")


def completion(text: object = " basket)", **more: object) -> dict[str, Any]:
    return {"choices": [{"text": text}], "usage": {"completion_tokens": 4}} | more


@dataclass
class Server:
    """
    Attributes:
        answer: what it says: bytes, or what is sent as JSON.
        status: HTTP's.
        takes_suffix: whether it knows the field.
        asked: the bodies of all requests; ``keys`` and ``paths`` likewise.
    """

    answer: object = field(default_factory=completion)
    status: int = 200
    takes_suffix: bool = True
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(body)
            server.keys.append(self.headers["Authorization"])
            server.paths.append(self.path)
            status = server.status
            if "suffix" in body and not server.takes_suffix:
                status = 400
            answer = server.answer
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{server.url}/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        server.url = f"http://127.0.0.1:{http.server_port}"
        try:
            yield server
        finally:
            http.shutdown()


def opened(server: Server, model: str = "my-model") -> Endpoint:
    return Endpoint(parse_endpoint(f"{server.url}#{model}"), lambda request: SIDES)


def failure(server: Server) -> str:
    with serving(server):
        writer = opened(server)
        with pytest.raises(MidfillError) as caught:
            writer.write(REQUEST)
        writer.close()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_server_is_asked_with_both_sides_greedily_and_to_the_lines_end() -> None:
    with serving(Server()) as server:
        writer = opened(server)
        writer.check()
        written = writer.write(REQUEST)

    assert server.asked[-1] == {
        "model": "my-model",
        "prompt": "before",
        "suffix": "behind",
        "max_tokens": 64,
        "temperature": 0,
        "stream": False,
        "stop": ["\n"],
    }
    assert set(server.paths) == {"/v1/completions"}
    assert (written.text, written.tokens, written.steps) == (" basket)", 4, 4)
    assert written.seconds > 0


def test_without_a_suffix_the_markers_of_the_models_name_are_used() -> None:
    with serving(Server(takes_suffix=False)) as server:
        writer = opened(server, "Qwen2.5-Coder-7B")
        writer.check()
        writer.write(REQUEST)

    assert "suffix" not in server.asked[-1]
    assert server.asked[-1]["prompt"] == "<|fim_prefix|><|fim_suffix|>behind<|fim_middle|>before"
    assert "Qwen" in writer.about


def test_a_model_of_unknown_markers_is_an_error_that_says_what_to_do() -> None:
    with serving(Server(takes_suffix=False)) as server:
        with pytest.raises(MidfillError, match="put ,fim= and one of qwen"):
            opened(server).check()
        told = opened(server, "my-model,fim=deepseek")
        told.check()

    assert server.asked[-1]["model"] == "my-model"
    assert server.asked[-1]["prompt"].startswith("<｜fim▁begin｜>")


@pytest.mark.parametrize(
    ("family", "prompt"),
    [
        (QWEN, "<|fim_prefix|><|fim_suffix|>behind<|fim_middle|>before"),
        (DEEPSEEK, "<｜fim▁begin｜>before<｜fim▁hole｜>behind<｜fim▁end｜>"),
        (CODE_LLAMA, "▁<PRE>▁<SUF>behind▁<MID> before"),
        (CODESTRAL, "[SUFFIX]behind[PREFIX]before"),
    ],
)
def test_prompts_are_spelled_as_each_family_was_trained(family: Any, prompt: str) -> None:  # noqa: ANN401
    assert spelled(family, SIDES) == prompt


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>welcome</html>",
        b"",
        b"\xff\xfe",
        [],
        None,
        {"choices": []},
        {"choices": [{"text": None}]},
        {"choices": [{"message": {"content": "I would write"}}]},
        {"choices": {"text": "x"}},
    ],
)
def test_what_is_no_completion_is_one_line(answer: object) -> None:
    assert "does not answer as a completions server does" in failure(Server(answer))


@pytest.mark.parametrize("count", [None, "many", -3, True, 2.5])
def test_tokens_are_only_counted_where_they_are_told(count: object) -> None:
    with serving(Server(completion(usage={"completion_tokens": count}))) as server:
        written = opened(server).write(REQUEST)

    assert written.tokens is None
    assert written.text == " basket)"


def test_a_server_that_writes_on_behind_the_line_is_cut_there() -> None:
    with serving(Server(completion(" basket)\n\nand more"))) as server:
        assert opened(server).write(REQUEST).text == " basket)"


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)

    assert "more than" in failure(Server(completion("x" * 100_000)))


def test_other_answers_and_no_answer_are_named() -> None:
    assert "HTTP 500" in failure(Server(status=500))
    assert KEY_VARIABLE in failure(Server(status=401))
    with serving(Server()) as server:
        pass
    with pytest.raises(MidfillError, match="cannot be reached"):
        opened(server).write(REQUEST)


def test_nobody_is_sent_elsewhere() -> None:
    server = Server(status=302)

    assert "HTTP 302" in failure(server)
    assert server.paths == ["/v1/completions"]


def test_a_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(module, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"http://127.0.0.1:{silent.getsockname()[1]}#m"
        with pytest.raises(MidfillError, match="does not answer in time"):
            Endpoint(parse_endpoint(name), lambda request: SIDES).write(REQUEST)


def test_the_key_goes_into_the_header_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "s3cret")
    with serving(Server()) as server:
        writer = opened(server)
        writer.write(REQUEST)

    assert server.keys == ["Bearer s3cret"]
    assert "s3cret" not in writer.name + writer.about + json.dumps(server.asked)

    monkeypatch.setenv(KEY_VARIABLE, "schlüssel")
    with pytest.raises(UsageError, match=KEY_VARIABLE):
        opened(server)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("http://localhost:8080", "URL#MODEL"),
        ("http://#m", "URL#MODEL"),
        ("http://localhost:0#m", "URL#MODEL"),
        ("http://localhost:no#m", "URL#MODEL"),
        ("ftp://localhost#m", "URL#MODEL"),
        ("http://me:pw@localhost#m", "may hold no key"),
        ("http://localhost?key=1#m", "may hold no key"),
        ("http://localhost#m,fim=latin", "only fim="),
        ("http://localhost#m,length=3", "only fim="),
    ],
)
def test_wrong_names_are_refused_before_anything_is_sent(name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(name)
    assert said in str(caught.value)
    assert "pw" not in str(caught.value)


def test_an_address_may_end_in_its_version() -> None:
    for address in ("http://localhost:8080", "http://localhost:8080/", "http://localhost:8080/v1"):
        name = parse_endpoint(f"{address}#owner/model")
        assert name.completions == "http://localhost:8080/v1/completions"
        assert name.model == "owner/model"
