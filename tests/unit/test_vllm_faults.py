"""A vLLM server that is down, slow, broken or lying: one clear line each, and nothing told."""

from __future__ import annotations

import logging
import sys
import threading
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from vllm_server import Faults, State, ToyTokenizer, gemma_server, qwen_server, serve

from midfill.inference.errors import (
    Cancelled,
    EngineBusy,
    EngineUnavailable,
    MidfillError,
    UsageError,
)
from midfill.inference.fillers.filler import Run
from midfill.inference.fillers.vllm import VllmFiller, open_vllm
from midfill.inference.models.reference import model_reference
from midfill.inference.progress import nobody_listens
from midfill.inference.stopwatch import Stopwatch
from midfill.inference.vllm import access, client
from midfill.inference.vllm.access import ApiKey, api_key, warn_of_open_transport
from midfill.inference.vllm.backoff import wait_before
from midfill.inference.vllm.event_lines import LONGEST_LINE, DataLines, LineTooLong
from midfill.inference.wire import Final, InfillRequest, Limits, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Opener = Callable[[str], VllmFiller]

KEY = "sk-very-secret-0123456789"
CANARY = "c4n4ry_in_the_source"
REQUEST = InfillRequest(prefix=f"{CANARY} = ", suffix="\nprint()\n")
SHORT = REQUEST.model_copy(update={"limits": Limits(deadline_ms=400)})


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(access.VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens fillers, and closes them in the end."""
    fillers: list[VllmFiller] = []

    def open_it(name: str) -> VllmFiller:
        filler = open_vllm(model_reference(name), nobody_listens)
        fillers.append(filler)
        return filler

    yield open_it
    for filler in fillers:
        filler.close()


@pytest.fixture(scope="module")
def opened_once() -> Iterator[VllmFiller]:
    filler = open_vllm(model_reference(qwen_server().name), nobody_listens)
    yield filler
    filler.close()


@pytest.fixture
def filler(opened_once: VllmFiller) -> VllmFiller:
    """One that is open already, and has the server of the moment before it."""
    opened_once.forget()
    return opened_once


def filled(
    filler: VllmFiller,
    request: InfillRequest = REQUEST,
    cancelled: Callable[[], bool] = lambda: False,
) -> Final:
    deadline = monotonic() + request.limits.deadline_ms / 1e3
    *_, final = filler.fill(request, Run(deadline, Stopwatch(monotonic()), cancelled))
    assert isinstance(final, Final)
    return final


def refused(kind: type[MidfillError], call: Callable[[], object]) -> str:
    """The one line that is told; it quotes neither source nor the server."""
    with pytest.raises(kind) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line
    assert CANARY not in line
    assert "as the test wants it" not in line
    return line


class TestOpening:
    def test_a_server_that_is_down(self, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "wait_before", lambda attempt, told: 0.01)
        line = refused(EngineUnavailable, lambda: opened("vllm:http://127.0.0.1:9"))
        assert "127.0.0.1:9 cannot be reached" in line

    def test_a_host_that_nobody_has(self, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "wait_before", lambda attempt, told: 0.01)
        for host in ("nobody.invalid", "a" * 70 + ".invalid", "a..b"):
            line = refused(EngineUnavailable, lambda host=host: opened(f"vllm:http://{host}"))
            assert "cannot be reached" in line

    def test_no_such_model(self, opened: Opener) -> None:
        server = qwen_server(names=("one", "two"))
        line = refused(UsageError, lambda: opened(f"{server.name}#three"))
        assert "no model 'three'; it has: 'one', 'two'" in line

    def test_several_models_and_none_named(self, opened: Opener) -> None:
        server = qwen_server(names=("one", "two"))
        line = refused(UsageError, lambda: opened(server.name))
        assert "there are: 'one', 'two'" in line
        assert filled(opened(f"{server.name}#two")).text == "total + value"
        assert server.bodies()[-1]["model"] == "two"

    def test_a_server_without_models(self, opened: Opener) -> None:
        server = qwen_server(names=())
        assert "has no model" in refused(EngineUnavailable, lambda: opened(server.name))

    def test_a_model_without_markers(self, opened: Opener) -> None:
        server = serve(State(ToyTokenizer(("<s>",))))
        assert "markers" in refused(UsageError, lambda: opened(server.name))

    @pytest.mark.parametrize("path", ["/v1/models", "/tokenize"])
    def test_a_path_that_is_not_there(self, path: str, opened: Opener) -> None:
        server = qwen_server(lacks=(path,))
        assert f"has no {path}" in refused(UsageError, lambda: opened(server.name))

    def test_version_and_health_may_be_hidden(self, opened: Opener) -> None:
        server = qwen_server(lacks=("/version", "/health"))
        assert opened(server.name).server.abilities.version == ""

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"<html>sign in</html>", "text/html"),
            (b"{not json", "application/json"),
            (b"[" * 100_000, "application/json"),
            (b'{"data": [{"id": 7}]}', "application/json"),
            (b'{"models": []}', "application/json"),
            (b"", "application/json"),
        ],
    )
    def test_what_no_vllm_server_answers(
        self, body: bytes, content_type: str, opened: Opener
    ) -> None:
        server = qwen_server(faults=Faults(path="/v1/models", body=body, content_type=content_type))
        line = refused(EngineUnavailable, lambda: opened(server.name))
        assert "see whether it is a vLLM server" in line

    @pytest.mark.parametrize("token", [-1, 2**31, 2**70, "7", 1.5, None])
    def test_ids_that_no_vocabulary_has(self, token: object, opened: Opener) -> None:
        body = f'{{"tokens": [{token!r}]}}'.replace("'", '"').replace("None", "null").encode()
        server = qwen_server(faults=Faults(path="/tokenize", body=body))
        line = refused(EngineUnavailable, lambda: opened(server.name))
        assert "/tokenize with JSON of another form" in line

    def test_a_server_that_never_answers(
        self, opened: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("midfill.inference.vllm.abilities.FIRST_SECONDS", 0.3)
        server = qwen_server(faults=Faults(path="/v1/models", silent=True))
        assert "has not answered within" in refused(EngineUnavailable, lambda: opened(server.name))
        assert server.dropped.wait(5)

    @pytest.mark.parametrize(
        ("status", "kind", "words"),
        [
            (401, UsageError, "MIDFILL_VLLM_API_KEY"),
            (403, UsageError, "MIDFILL_VLLM_API_KEY"),
            (307, EngineUnavailable, "redirects"),
            (500, EngineUnavailable, "its own log says why"),
            (418, EngineUnavailable, "refuses what Midfill asks"),
        ],
    )
    def test_other_answers_than_200(
        self, status: int, kind: type[MidfillError], words: str, opened: Opener
    ) -> None:
        faults = Faults(path="/v1/models", statuses=[(status, {"Location": "http://x.invalid"})])
        server = qwen_server(faults=faults)
        assert words in refused(kind, lambda: opened(server.name))
        assert [path for path, _, _ in server.asked].count("/v1/models") == 1

    def test_failed_opening_leaves_no_thread(self, opened: Opener) -> None:
        before = threading.active_count()
        for _ in range(3):
            refused(EngineUnavailable, lambda: opened(qwen_server(names=()).name))
        assert threading.active_count() <= before + 1  # the server's own


class TestAgain:
    @pytest.mark.parametrize("status", [429, 502, 503])
    def test_a_server_that_has_not_begun_is_asked_again(
        self, status: int, filler: VllmFiller
    ) -> None:
        server = qwen_server()
        server.faults.statuses = [(status, {}), (status, {"Retry-After": "0"})]
        assert filled(filler).text == "total + value"
        assert len(server.bodies()) == 3

    @pytest.mark.parametrize("status", [400, 404, 500, 504])
    def test_a_server_that_may_have_begun_is_not(self, status: int, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults.statuses = [(status, {})]
        refused(MidfillError, lambda: filled(filler))
        assert len(server.bodies()) == 1

    def test_retry_after_is_kept_to_and_bounded_by_the_deadline(self, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults.statuses = [(429, {"Retry-After": "3600"})]
        line = refused(EngineBusy, lambda: filled(filler))
        assert "too many requests" in line
        assert len(server.bodies()) == 1

    def test_it_is_given_up_in_the_end(
        self, filler: VllmFiller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = qwen_server()
        monkeypatch.setattr(client, "wait_before", lambda attempt, told: 0.01)
        server.faults.statuses = [(503, {})] * 99
        assert "503" in refused(EngineUnavailable, lambda: filled(filler))
        assert len(server.bodies()) == 5

    def test_waits_grow_and_keep_to_what_the_server_says(self) -> None:
        for attempt, least, most in [(0, 0.05, 0.15), (1, 0.1, 0.3), (3, 0.4, 1.2)]:
            waits = [wait_before(attempt) for _ in range(50)]
            assert least <= min(waits) < max(waits) <= most
        assert max(wait_before(50) for _ in range(50)) <= 7.5
        assert wait_before(0, "7") == 7.0
        assert wait_before(0, "Fri, 31 Dec 2100 23:59:59 GMT") > 1e6
        assert wait_before(0, "Fri, 31 Dec 1999 23:59:59 GMT") < 1
        assert wait_before(0, "soon") < 1


class TestHalfWay:
    @pytest.mark.parametrize(
        "faults",
        [
            Faults(close_after=2),
            Faults(close_after=0),
            Faults(no_done=True),
            Faults(error_in_stream=True),
        ],
        ids=["closed", "closed at once", "truncated", "failed"],
    )
    def test_a_server_that_stops_half_way(self, faults: Faults, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults = faults
        assert "stopped half way" in refused(EngineUnavailable, lambda: filled(filler))
        assert len(server.bodies()) == 1
        server.faults = Faults()
        assert filled(filler).text == "total + value"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"data: {broken\n\n", "another form"),
            (b'data: {"choices": [{"text": 7}]}\n\n', "another form"),
            (b'data: {"choices": [{"text": "x", "index": 9}]}\n\n', "more than was asked for"),
            (b"data: " + b"x" * (LONGEST_LINE + 10), "a line that never ends"),
            (b'data: {"choices": [{"text": "x", "finish_reason": "abort"}]}\n\n', "half way"),
            (b"data: [DONE]\n\n", "half way"),
            (b"", "half way"),
        ],
        ids=["json", "type", "index", "huge", "aborted", "nothing", "empty"],
    )
    def test_a_stream_that_is_none(self, body: bytes, words: str, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults = Faults(body=body, content_type="text/event-stream")
        assert words in refused(EngineUnavailable, lambda: filled(filler))

    def test_a_stream_of_another_type(self, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults = Faults(body=b"{}")
        assert "text/event-stream" in refused(EngineUnavailable, lambda: filled(filler))

    def test_what_came_before_the_deadline_is_kept(self, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults = Faults(stall_after=4)
        final = filled(filler, SHORT)
        assert (final.text, final.stop) == ("total +", Stop.DEADLINE)
        assert server.dropped.wait(5)

    def test_without_a_word_before_the_deadline_there_is_nothing(self, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults = Faults(silent=True)
        final = filled(filler, SHORT)
        assert (final.text, final.stop, final.confidence) == ("", Stop.DEADLINE, 0.0)
        assert server.dropped.wait(5)

    def test_alternatives_that_do_not_come_do_no_harm(
        self, filler: VllmFiller, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = qwen_server()
        real = server.answer

        def failing(prefix: str, suffix: str, draw: int) -> str:
            server.faults = Faults(close_after=0)
            return real(prefix, suffix, draw)

        server.answer = failing  # the first answer is on its way by then
        final = filled(filler, REQUEST.model_copy(update={"n": 3}))
        assert (final.text, final.alternatives) == ("total + value", ())
        assert any("no alternatives" in record.getMessage() for record in caplog.records)


class TestCancelling:
    @pytest.mark.parametrize(
        "faults",
        [Faults(silent=True), Faults(stall_after=2), Faults(path="/tokenize", silent=True)],
        ids=["before the answer", "in the middle of it", "while tokenising"],
    )
    def test_a_silent_server_is_left_at_once(self, faults: Faults, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults = faults
        unwanted = threading.Event()
        threading.Timer(0.2, unwanted.set).start()
        with pytest.raises(Cancelled):
            filled(filler, cancelled=unwanted.is_set)
        assert unwanted.is_set()
        assert server.dropped.wait(5)
        server.faults = Faults()
        assert filled(filler).text == "total + value"

    def test_whoever_waits_is_asked_all_the_time(self, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults = Faults(silent=True)
        asked: list[float] = []

        def cancelled() -> bool:
            asked.append(monotonic())
            return len(asked) == 10

        with pytest.raises(Cancelled):
            filled(filler, cancelled=cancelled)
        assert client.POLL <= 0.05
        assert len(asked) == 10

    def test_waiting_to_ask_again_can_be_cancelled(self, filler: VllmFiller) -> None:
        server = qwen_server()
        server.faults.statuses = [(429, {"Retry-After": "8"})]
        unwanted = threading.Event()
        threading.Timer(0.2, unwanted.set).start()
        with pytest.raises(Cancelled):
            filled(filler, cancelled=unwanted.is_set)

    def test_leaving_the_iterator_closes_the_connection(self, filler: VllmFiller) -> None:
        server = qwen_server(answer=lambda prefix, suffix, draw: "x" * 60)
        server.faults = Faults(stall_after=3)
        filling = filler.fill(REQUEST, Run(monotonic() + 10, Stopwatch(monotonic()), lambda: False))
        next(filling)
        filling.close()  # type: ignore[attr-defined]
        assert server.dropped.wait(5)


class TestLies:
    def test_a_server_that_does_not_hold_slots_is_seen_through_when_it_is_opened(
        self, opened: Opener
    ) -> None:
        server = gemma_server(takes_canvases=False)
        assert opened(server.name).server.canvas == 0
        line = refused(UsageError, lambda: opened(f"{server.name},suffix=pinned"))
        assert "does not hold pinned slots" in line

    def test_and_when_it_fills(self, opened: Opener) -> None:
        server = gemma_server()
        filler = opened(server.name)
        server.faults = Faults(lies=True)
        line = refused(EngineUnavailable, lambda: filled(filler))
        assert "changes pinned slots: put suffix=prompt" in line

    def test_ids_that_are_out_of_range(self, opened: Opener) -> None:
        server = gemma_server()
        filler = opened(server.name)
        server.faults = Faults(out_of_range=True)
        assert "another form" in refused(EngineUnavailable, lambda: filled(filler))

    def test_fewer_slots_than_were_sent(self, opened: Opener) -> None:
        server = gemma_server()
        filler = opened(server.name)
        server.faults = Faults(
            body=b'{"choices": [{"index": 0, "text": "", "token_ids": [1, 2, 3]}]}'
        )
        assert "changes pinned slots" in refused(EngineUnavailable, lambda: filled(filler))

    def test_other_text_than_the_ids_stand_for(self, opened: Opener) -> None:
        server = gemma_server(answer=lambda prefix, suffix, draw: "total +")
        filler = opened(server.name)
        server.faults = Faults(path="/detokenize", body=b'{"prompt": "rm -rf"}')
        assert "other text" in refused(EngineUnavailable, lambda: filled(filler))


class TestKey:
    def test_it_comes_from_the_environment_and_goes_to_the_server_alone(
        self, opened: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = qwen_server(key=KEY)
        line = refused(UsageError, lambda: opened(server.name))
        assert "MIDFILL_VLLM_API_KEY" in line
        monkeypatch.setenv(access.VARIABLE, KEY)
        assert filled(opened(server.name)).text == "total + value"
        assert server.asked[-1][2]["authorization"] == f"Bearer {KEY}"

    def test_else_from_the_keyring(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[str, str]] = []

        def get_password(service: str, user: str) -> str | None:
            asked.append((service, user))
            return KEY if user == "http://box:8000" else None

        monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=get_password))
        assert api_key("http://box:8000") == ApiKey(KEY)
        assert api_key("http://other:8000") is None
        assert asked == [("midfill", "http://box:8000"), ("midfill", "http://other:8000")]
        monkeypatch.setenv(access.VARIABLE, "another")
        assert api_key("http://box:8000") == ApiKey("another")

    def test_a_keyring_that_fails_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def get_password(service: str, user: str) -> str | None:
            raise RuntimeError(KEY)

        monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=get_password))
        assert api_key("http://box:8000") is None

    @pytest.mark.parametrize("key", [f"{KEY} x", f"{KEY}\nX-Evil: 1", f"{KEY}é"])
    def test_one_that_no_header_can_carry_is_not_quoted(
        self, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(access.VARIABLE, key)
        assert KEY not in refused(UsageError, lambda: api_key("http://box"))

    def test_it_is_in_no_log_error_or_repr(
        self, opened: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv(access.VARIABLE, KEY)
        for name in ("", "httpx", "httpcore", "asyncio", "midfill"):
            caplog.set_level(logging.DEBUG, name or None)
        server = qwen_server(key=KEY)
        filler = opened(server.name)
        filled(filler)
        for faults in (
            Faults(statuses=[(401, {})]),
            Faults(statuses=[(500, {})]),
            Faults(close_after=1),
            Faults(body=b"{}"),
        ):
            server.faults = faults
            refused(MidfillError, lambda: filled(filler))
        told = [record.getMessage() + str(record.args) for record in caplog.records]
        assert any("httpcore" in record.name for record in caplog.records)
        assert not [line for line in told if KEY in line or CANARY in line]
        key = ApiKey(KEY)
        assert KEY not in f"{key} {key!r} {filler.server!r} {filler!r}"

    def test_open_transport_is_warned_of_once_for_each_host(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(access, "_warned_of", set())
        for address, host in [
            ("http://gpu-box:8000", "gpu-box:8000"),
            ("http://gpu-box:8000", "gpu-box:8000"),
            ("https://gpu-box:8443", "gpu-box:8443"),
            ("http://localhost:8000", "localhost:8000"),
            ("http://127.0.0.2:8000", "127.0.0.2:8000"),
            ("http://[::1]:8000", "[::1]:8000"),
            ("http://10.0.0.7", "10.0.0.7"),
        ]:
            warn_of_open_transport(address, host)
        told = [record.getMessage() for record in caplog.records]
        assert ["gpu-box:8000" in told[0], "10.0.0.7" in told[1], len(told)] == [True, True, 2]


class TestDataLines:
    def test_lines_come_in_any_pieces(self) -> None:
        stream = b": hello\r\n\r\ndata: {1}\r\n\r\nevent: x\ndata:{2}\n\ndata: [DONE]\n\n"
        for size in range(1, len(stream)):
            lines = DataLines()
            found = [
                line
                for at in range(0, len(stream), size)
                for line in lines.feed(stream[at : at + size])
            ]
            assert found == [b"{1}", b"{2}", b"[DONE]"]

    def test_a_line_that_never_ends_is_cut_off(self) -> None:
        lines = DataLines()
        assert lines.feed(b"x" * LONGEST_LINE) == []
        with pytest.raises(LineTooLong):
            lines.feed(b"x")
