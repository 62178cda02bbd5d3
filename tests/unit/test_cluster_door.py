"""A cluster's ingress, without Ray: whom it asks, and what becomes of answers that break off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from midfill.inference.cluster.asked import Asked, answer
from midfill.inference.cluster.door import Door
from midfill.inference.cluster.lost import ReplicaLost
from midfill.inference.cluster.merged_figures import merged
from midfill.inference.cluster.session_key import session_key
from midfill.inference.cluster.settings import ClusterSettings
from midfill.inference.errors import QueueFull
from midfill.inference.server_sent_events import EventReader, encode
from midfill.inference.service.access import behind_proxy, gated
from midfill.inference.service.callers import Credential
from midfill.inference.service.facade.health_reply import health_reply
from midfill.inference.wire import EngineState, Health

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Message, Receive, Scope, Send

STREAM = [(b"content-type", b"text/event-stream")]
DRAFT, FINAL = encode("draft", "{}"), encode("final", "{}")


def start(status: int = 200, headers: list[tuple[bytes, bytes]] = STREAM) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(content: bytes, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


class ScriptedReplicas:
    """Answers by a list of scripts, one a request; an error in a script is raised there."""

    def __init__(self, *scripts: list[Message | Exception]) -> None:
        self.scripts = list(scripts)
        self.asked: list[tuple[Asked, str]] = []
        self.forgotten: list[str] = []

    async def answer(self, asked: Asked, key: str) -> AsyncGenerator[Message]:
        self.asked.append((asked, key))
        for message in self.scripts.pop(0):
            if isinstance(message, Exception):
                raise message
            yield message

    async def figures(self) -> list[bytes]:
        return [
            b"# TYPE fills counter\nfills_total 3.0\n",
            b"# TYPE fills counter\nfills_total 4\n",
        ]

    async def forget(self, caller: str) -> None:
        self.forgotten.append(caller)


LOST = ReplicaLost("the engine went away: ask again in a moment")
WHOLE: list[Message | Exception] = [start(), body(DRAFT), body(FINAL, more=False)]


async def ask(
    replicas: ScriptedReplicas, path: str = "/v1/infill", token: str = "alpha", **form: object
) -> httpx.Response:
    """Ask a door of four attempts at which Ann's token is ``alpha``."""
    settings = ClusterSettings.model_validate({"token_file": "unread", "per_minute": 0})
    door = Door(replicas, attempts=4).starlette()
    access = settings.access(lambda: [Credential.of("ann", "alpha")])
    app = behind_proxy(gated(door, access), access)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as http:
        return await http.post(
            path, json={"prefix": "a"} | form, headers={"Authorization": f"Bearer {token}"}
        )


def names(response: httpx.Response) -> list[str]:
    return [event.name for event in EventReader().feed(response.content)]


async def test_another_replica_gives_the_whole_answer_where_one_is_lost() -> None:
    replicas = ScriptedReplicas([LOST], [start(), body(DRAFT), LOST], WHOLE)
    response = await ask(replicas)
    assert names(response) == ["draft", "draft", "final"]
    assert len({(asked.body, key) for asked, key in replicas.asked}) == 1


async def test_a_stream_ends_with_an_error_when_every_replica_is_lost() -> None:
    replicas = ScriptedReplicas(*[[start(), body(DRAFT), LOST]] * 4)
    response = await ask(replicas)
    assert names(response) == ["draft"] * 4 + ["error"]


async def test_what_had_not_begun_is_refused_when_every_replica_is_lost() -> None:
    response = await ask(ScriptedReplicas(*[[LOST]] * 4))
    assert response.status_code == 500
    assert response.json()["code"] == "engine-unavailable"


async def test_text_of_another_tools_stream_is_never_sent_twice() -> None:
    replicas = ScriptedReplicas([start(), body(b"data: a\n\n"), LOST], WHOLE)
    with pytest.raises(RuntimeError, match="already started"):  # the connection breaks off
        await ask(replicas, "/v1/completions")
    assert len(replicas.asked) == 1


async def test_a_refusal_behind_drafts_is_an_event() -> None:
    refusal = [
        start(503, [(b"content-type", b"application/json")]),
        body(b'{"code":"busy"}', False),
    ]
    response = await ask(ScriptedReplicas([start(), body(DRAFT), LOST], refusal))
    assert names(response) == ["draft", "error"]


async def test_a_full_cluster_says_when_to_come_back() -> None:
    full = QueueFull("too many")
    full.retry_after = 2.0
    response = await ask(ScriptedReplicas([full]))
    assert (response.status_code, response.headers["retry-after"]) == (429, "2")


async def test_nobody_is_asked_for_those_without_a_token() -> None:
    replicas = ScriptedReplicas()
    assert (await ask(replicas, token="wrong")).status_code == 401
    assert (await ask(replicas, "/v1/drain")).status_code == 403
    assert not replicas.asked


async def test_a_replica_learns_the_caller_but_not_the_token() -> None:
    replicas = ScriptedReplicas(WHOLE)
    await ask(replicas)
    asked, _ = replicas.asked[0]
    assert asked.caller == "ann"
    assert b"alpha" not in repr(asked).encode()


async def test_all_replicas_forget_what_the_caller_sent() -> None:
    replicas = ScriptedReplicas()
    assert (await ask(replicas, "/v1/forget")).status_code == 202
    assert replicas.forgotten == ["ann"]


async def test_a_watcher_is_told_how_the_engines_are_as_soon_as_one_says() -> None:
    ready = Health(version="1", model="m", state=EngineState.READY, pid=1)
    reply = [start(200, []), body(health_reply(ready).model_dump_json().encode(), False)]
    door = Door(ScriptedReplicas([LOST], reply), attempts=1, status_seconds=0.0)
    [event] = EventReader().feed(await anext(door._states()))
    assert event.name == "status"
    assert Health.model_validate_json(event.data).state is EngineState.READY


async def test_an_app_is_cancelled_when_its_answer_is_closed() -> None:
    ended = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b"text"
        try:
            await send(start())
            while True:
                await send(body(DRAFT))
        finally:
            ended.append(scope["path"])

    messages = answer(endless, Asked("POST", "/v1/infill", body=b"text"))
    assert [(await anext(messages))["type"] for _ in range(2)] == [
        "http.response.start",
        "http.response.body",
    ]
    await messages.aclose()
    assert ended == ["/v1/infill"]


async def test_what_an_app_raises_reaches_whoever_asked() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed"):
        [message async for message in answer(failing, Asked("GET", "/"))]


def test_figures_of_replicas_are_told_apart() -> None:
    text = merged([b"# TYPE fills counter\nfills_total 3.0\n"] * 2).decode()
    assert 'fills_total{replica="0"} 3.0' in text
    assert 'fills_total{replica="1"} 3.0' in text


def key(caller: str = "ann", headers: dict[str, str] | None = None, **form: object) -> str:
    return session_key(caller, headers or {}, json.dumps(form).encode())


def test_requests_about_a_document_share_a_key_whatever_is_typed() -> None:
    assert key(document="d", prefix="a") == key(document="d", prefix="ab")
    assert key(document="d") != key(document="e")


def test_without_a_document_the_beginning_of_the_text_tells() -> None:
    module = "import json\n" * 30
    assert key(prompt=module) == key(prompt=module + "x = ")
    assert key(prompt="a" * 10) != key(prompt="b" * 10)


def test_nobody_shares_a_key_with_somebody_else() -> None:
    assert key("ann", document="d") != key("bob", document="d")
    assert key("ann", {"x-session-id": "s"}) != key("bob", {"x-session-id": "s"})


def test_a_clients_own_session_comes_first() -> None:
    assert key(headers={"x-session-id": "s"}, document="d") == key(headers={"x-session-id": "s"})


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b'{"document": 1}', b'{"prefix":"\\ud800"}']
)
def test_anything_has_a_key_that_shows_nothing_of_it(content: bytes) -> None:
    assert len(session_key("ann", {}, content)) == 32


def test_settings_that_contradict_each_other_are_refused() -> None:
    for wrong in ({"min_replicas": 3}, {"target_ongoing_requests": 9}, {"no_such": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ClusterSettings.model_validate({"token_file": "t"} | wrong)
