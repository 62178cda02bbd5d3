"""A server with the completions interface of OpenAI, such as llama-server, vLLM or Ollama.

It is sent what our own model reads of a file, and nothing else is sent anywhere.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.measuring.replay.prompts import Sides
from midfill.inference.measuring.replay.writer import Written
from midfill.inference.vllm.markers import CODE_LLAMA, CODESTRAL, DEEPSEEK, QWEN, STARCODER
from midfill.inference.vllm.network import proxy_for, route_to
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.vllm.markers import FimFamily
    from midfill.inference.wire import InfillRequest

KEY_VARIABLE = "MIDFILL_BENCH_API_KEY"
"""The environment variable with the key that the server may ask for."""

SECONDS = 120.0
"""How long an answer may take."""

MOST_BYTES = 4 * 2**20
"""A longer answer is not read."""

FORMS: dict[str, FimFamily] = {
    "qwen": QWEN,
    "codegemma": QWEN,
    "starcoder": STARCODER,
    "deepseek": DEEPSEEK,
    "codellama": CODE_LLAMA,
    "codestral": CODESTRAL,
}
"""Families by what they are called in the names of models."""

REFUSALS = (400, 404, 422, 501)
"""What a server may answer that knows no field `suffix`."""

PRINTABLE = re.compile(r"[\x21-\x7e]*")


@dataclass(frozen=True, slots=True)
class EndpointName:
    """``URL#MODEL`` or ``URL#MODEL,fim=FAMILY``, taken apart.

    Attributes:
        address: without a final ``/v1``.
        model: what the server calls it.
        family: whose markers make the prompt; None for the field `suffix`.
    """

    address: str
    model: str
    family: FimFamily | None

    @property
    def completions(self) -> str:
        return f"{self.address}/v1/completions"

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc


def parse_endpoint(name: str) -> EndpointName:
    """Take the name of a served model apart.

    Raises:
        UsageError: it is none.
    """
    address, _, model = name.partition("#")
    model, *pairs = model.split(",")
    try:
        parts = urlsplit(address)
        right = parts.port is None or parts.port > 0
    except ValueError:
        parts, right = urlsplit(""), False
    if parts.username or parts.password or parts.query:
        raise UsageError(f"--against: an address may hold no key; put it in {KEY_VARIABLE}")
    if parts.scheme not in ("http", "https") or not parts.hostname or not right or not model:
        raise UsageError(
            "--against: a served model is named URL#MODEL, such as http://localhost:8080#my-model"
        )
    family = None
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key != "fim" or value not in FORMS:
            raise UsageError(f"--against {model}: only fim= is known there, of {', '.join(FORMS)}")
        family = FORMS[value]
    return EndpointName(address.rstrip("/").removesuffix("/v1"), model, family)


class Endpoint:
    """A `Writer` that asks a server."""

    def __init__(self, name: EndpointName, sides_of: Callable[[InfillRequest], Sides]) -> None:
        """Nothing is sent yet.

        Raises:
            UsageError: the key cannot be sent, or the environment's proxy cannot be used.
        """
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not PRINTABLE.fullmatch(key):
            raise UsageError(f"{KEY_VARIABLE} holds characters that no header can carry")
        route = route_to(name.address, proxy_for(name.address))
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(SECONDS, connect=10.0),
            verify=route.authorities,
            proxy=route.proxy,
            trust_env=False,
        )
        self._name = name
        self._family = name.family
        self._sides_of = sides_of
        self.name = f"{name.model} at {name.host}"

    @property
    def about(self) -> str:
        if self._family is None:
            return "prompt and suffix as the server lays them out; its caches are its own, cold too"
        return f"markers of {self._family.name}; its caches are its own, cold too"

    def check(self) -> None:
        """Ask once, to see whether it answers, and whether it takes a suffix.

        Where it does not, the markers are used that the model's name speaks of.

        Raises:
            MidfillError: it does not answer as such a server does.
        """
        if self._family is not None:
            self._ask(Sides("x = ", "\n"), 1, ["\n"])
            return
        try:
            self._ask(Sides("x = ", "\n"), 1, ["\n"])
        except _Refused as refusal:
            lowered = self._name.model.lower()
            family = next((FORMS[form] for form in FORMS if form in lowered), None)
            if family is None:
                raise MidfillError(
                    f"{refusal}; if it takes no suffix, put ,fim= and one of {', '.join(FORMS)} "
                    "behind its name"
                ) from None
            self._family = family
            self._ask(Sides("x = ", "\n"), 1, ["\n"])

    def new_document(self) -> None:
        pass  # nobody can empty a server's caches from here

    def write(self, request: InfillRequest) -> Written:
        text = self._sides_of(request)
        stop = ["\n"] if request.hole.extent is Extent.LINE else []
        started = perf_counter()
        answer, tokens = self._ask(text, request.limits.tokens, stop)
        seconds = perf_counter() - started
        if stop:
            answer = answer.partition("\n")[0]
        return Written(answer, seconds, tokens, tokens)

    def close(self) -> None:
        self._http.close()

    def _ask(self, text: Sides, tokens: int, stop: list[str]) -> tuple[str, int | None]:
        body: dict[str, Any] = {
            "model": self._name.model,
            "max_tokens": tokens,
            "temperature": 0,
            "stream": False,
        }
        if stop:
            body["stop"] = stop
        if self._family is None:
            body |= {"prompt": text.prefix, "suffix": text.suffix}
        else:
            body["prompt"] = spelled(self._family, text)
        return completion(self._post(body), self.name)

    def _post(self, body: dict[str, Any]) -> bytes:
        try:
            with self._http.stream("POST", self._name.completions, json=body) as response:
                content = b""
                for part in response.iter_bytes():
                    content += part
                    if len(content) > MOST_BYTES:
                        raise MidfillError(f"{self.name} answers with more than 4 MB")
        except httpx.TimeoutException:
            raise MidfillError(f"{self.name} does not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise MidfillError(
                f"{self.name} cannot be reached ({type(error).__name__}): is a server there?"
            ) from None
        if response.status_code in REFUSALS:
            raise _Refused(f"{self.name} answers with HTTP {response.status_code}")
        if response.status_code in (401, 403):
            raise MidfillError(f"{self.name} wants a key: put it in {KEY_VARIABLE}")
        if response.status_code != httpx.codes.OK:
            raise MidfillError(f"{self.name} answers with HTTP {response.status_code}")
        return content


class _Refused(MidfillError):
    """The server does not take the request in this form."""


def spelled(family: FimFamily, text: Sides) -> str:
    """A prompt with a family's markers spelled."""
    before = f" {text.prefix}" if family.prefix_spaced else text.prefix
    if not family.middle:
        return f"{family.suffix}{text.suffix}{family.prefix}{before}"
    if family.suffix_first:
        return f"{family.prefix}{family.suffix}{text.suffix}{family.middle}{before}"
    return f"{family.prefix}{before}{family.suffix}{text.suffix}{family.middle}"


def completion(content: bytes, name: str) -> tuple[str, int | None]:
    """The text of an answer, and how many tokens it says it has, if it says so.

    Raises:
        MidfillError: it is no answer of such a server.
    """
    try:
        found = json.loads(content)
        text = found["choices"][0]["text"]
    except (ValueError, KeyError, IndexError, TypeError):
        text = None
    if not isinstance(text, str):
        raise MidfillError(f"{name} does not answer as a completions server does")
    usage = found.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    right = isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= 0
    return text, tokens if right else None
