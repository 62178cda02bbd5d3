"""``POST /v1/prompt`` tells exactly what the model would be given, and fills nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import CANARY, eventually, post, serving
from stepping_engine import SteppingEngine

from midfill.inference.errors import EngineBusy, EngineUnavailable, InvalidText, MidfillError
from midfill.inference.fillers import embedded
from midfill.inference.prompt import build_prompt
from midfill.inference.prompt_view import shown_prompt
from midfill.inference.transport import UnixAddress, engine_address
from midfill.inference.wire import ContextFile, Final, InfillRequest
from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt
from midfill.lsp.engine_client import EngineClient
from midfill.lsp.engine_link import EngineLink

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.engine import Engine
    from midfill.inference.prompt import Prompt
    from midfill.inference.tokenizer import Tokenizer

GOOD = {"prefix": "def f():\n    return "}
REQUEST = InfillRequest(prefix="a = ")


class PromptingEngine(SteppingEngine):
    """Tells its thread and the prefix instead of a prompt."""

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        self.threads.add(threading.get_ident())
        if request.language == "raise":
            raise RuntimeError(f"stumbled over {request.prefix}")
        piece = PromptPiece(part=PromptPart.PREFIX, text=request.prefix, tokens=3)
        return ShownPrompt(model=self.model, pieces=(piece,), owed="x", owed_tokens=1)


async def test_the_prompt_is_told_and_nothing_is_filled(tmp_path: Path) -> None:
    engine = PromptingEngine()
    async with serving(engine, tmp_path) as service:
        response = await service.http.post("/v1/prompt", json=GOOD)

    assert response.status_code == 200
    assert response.json()["pieces"][0] == {
        "part": "prefix",
        "text": GOOD["prefix"],
        "tokens": 3,
    }
    assert engine.steps_done == 0


async def test_the_engines_own_thread_answers_when_it_has_done_what_came_before(
    tmp_path: Path,
) -> None:
    engine = PromptingEngine(steps=5, step_seconds=0.05)
    async with serving(engine, tmp_path) as service:
        filling = asyncio.create_task(post(service.http, GOOD))
        await eventually(lambda: engine.filled)
        await service.http.post("/v1/prompt", json=GOOD)
        assert engine.steps_done == 5
        await filling

    assert len(engine.threads) == 1


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"prefix": 7}', b'{"prefix": "\\ud800"}'])
async def test_a_bad_body_is_refused(body: bytes, tmp_path: Path) -> None:
    async with serving(PromptingEngine(), tmp_path) as service:
        response = await service.http.post("/v1/prompt", content=body)

    assert response.status_code == 422


async def test_an_engine_that_fails_says_so_without_any_source(tmp_path: Path) -> None:
    async with serving(PromptingEngine(), tmp_path) as service:
        bad = {"prefix": CANARY, "language": "raise"}
        response = await service.http.post("/v1/prompt", json=bad)
        afterwards = await service.http.post("/v1/prompt", json=GOOD)

    assert response.status_code == 500
    assert response.json()["code"] == "failure"
    assert CANARY not in response.text
    assert afterwards.status_code == 200


async def test_a_draining_engine_refuses(tmp_path: Path) -> None:
    engine = PromptingEngine(steps=10, step_seconds=0.05)
    async with serving(engine, tmp_path) as service:
        running = asyncio.create_task(post(service.http, GOOD))
        await eventually(lambda: engine.filled)
        await service.http.post("/v1/drain")
        with pytest.raises(EngineBusy):
            await EngineClient(service.address).prompt(REQUEST)
        _, events = await running
        await asyncio.wait_for(service.task, 5)

    assert events[-1].name == "final"


async def test_a_client_gets_what_the_engine_tells(tmp_path: Path) -> None:
    async with serving(PromptingEngine(), tmp_path) as service:
        client = EngineClient(service.address)
        shown = await client.prompt(REQUEST)
        with pytest.raises(MidfillError, match="the engine failed"):
            await client.prompt(InfillRequest(prefix="", language="raise"))
        await client.aclose()

    assert (shown.text, shown.tokens(), shown.owed) == ("a = ", 3, "x")


async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        await EngineClient(UnixAddress(tmp_path / "nobody")).prompt(REQUEST)


@pytest.mark.parametrize("body", [b"{}", b"not JSON", json.dumps({"model": 7}).encode()])
async def test_nonsense_is_an_error_of_ours(body: bytes, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)
        writer.close()

    server = await asyncio.start_unix_server(answer, tmp_path / "s")
    with pytest.raises(MidfillError, match="another version"):
        await EngineClient(UnixAddress(tmp_path / "s")).prompt(REQUEST)
    server.close()


async def test_the_link_asks_the_engine_that_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    engine = PromptingEngine()
    link = EngineLink("stepping", lambda health: None)
    async with serving(engine, tmp_path, address=engine_address("stepping")):
        with pytest.raises(EngineUnavailable):
            await link.prompt(REQUEST)
        await eventually(lambda: link.ready)
        shown = await link.prompt(REQUEST)
        await link.close()

    assert shown.text == "a = "


# The real tokenizer from here on.

FILES = (
    ContextFile(path="shop/basket.py", text="def add(item): ...\n# <|fim_prefix|> in a text"),
    ContextFile(path="wörld.py", text="größe = '🙂'\n" * 40),
)
PREFIX = "import shop\n\n\ndef main():\n    retu"


def spelled(tokenizer: Tokenizer, tokens: list[int]) -> str:
    """Tokens decoded one after the other, by the tokenizer file itself."""
    pieces: list[str] = []
    plain: list[int] = []
    for token in tokens:
        if tokenizer.is_special(token):
            pieces.append(_bytes(tokenizer, plain))
            pieces.append(str(tokenizer._tokenizer.id_to_token(token)))
            plain = []
        else:
            plain.append(token)
    return "".join([*pieces, _bytes(tokenizer, plain)])


def _bytes(tokenizer: Tokenizer, tokens: list[int]) -> str:
    return b"".join(map(tokenizer.token_bytes, tokens)).decode("utf-8", "backslashreplace")


def test_what_is_shown_is_what_a_fill_is_given(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Prompt] = []

    def record(*arguments: object) -> Prompt:
        given.append(build_prompt(*arguments))  # type: ignore[arg-type]
        return given[-1]

    monkeypatch.setattr(embedded, "build_prompt", record)
    request = InfillRequest(context=FILES, prefix=PREFIX, suffix="\r\n\r\nmain()\r\n")
    shown = engine.prompt(request)
    final = [*engine.infill(request)][-1]

    assert isinstance(final, Final)
    assert given[0] == given[1]
    assert shown.tokens() == len(given[1].tokens)
    assert final.cache.hit_tokens + final.cache.new_tokens == shown.tokens()


def test_the_shown_text_is_the_decoded_prompt(tokenizer: Tokenizer) -> None:
    prompt = build_prompt(tokenizer, PREFIX, "\n\nmain()\n", FILES)
    shown = shown_prompt(tokenizer, prompt, "m")

    assert shown.text == spelled(tokenizer, prompt.tokens)
    assert shown.tokens() == len(prompt.tokens)
    assert (shown.owed, shown.owed_tokens) == (" retu", 2)
    assert shown.text.endswith("def main():\n   ")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=400),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=900),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=400),
)
def test_whatever_the_text_every_token_is_shown_once(
    tokenizer: Tokenizer, prefix: str, suffix: str, context: str
) -> None:
    prompt = build_prompt(tokenizer, prefix, suffix, [ContextFile(path="a", text=context)])
    shown = shown_prompt(tokenizer, prompt, "m")

    assert shown.text == spelled(tokenizer, prompt.tokens)
    assert shown.tokens() == len(prompt.tokens)
    assert sum(shown.tokens(part) for part in PromptPart) == len(prompt.tokens)


def test_parts_are_counted_on_their_own(tokenizer: Tokenizer) -> None:
    prompt = build_prompt(tokenizer, "x = 1\n", "y = 2\n", FILES[:1])
    shown = shown_prompt(tokenizer, prompt, "m")

    assert shown.tokens(PromptPart.PREFIX) == len(tokenizer.encode("x = 1\n"))
    assert shown.tokens(PromptPart.SUFFIX) == len(tokenizer.encode("y = 2\n"))
    assert shown.tokens(PromptPart.MARKER) == 5
    assert [piece.text for piece in shown.pieces if piece.part is PromptPart.CONTEXT] == [
        "repository\n",
        f"shop/basket.py\n{FILES[0].text}\n",
    ]


def test_a_prompt_without_a_utf_8_form_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidText):
        engine.prompt(InfillRequest.model_construct(prefix="\ud800", suffix="", context=()))
