"""A vLLM server that is down, slow, broken or lying: one clear line each, and nothing told."""

from __future__ import annotations

import json
import logging
import sys
import threading
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from vllm_server import (
    STARCODER_MARKERS,
    Faults,
    State,
    ToyTokenizer,
    gemma_server,
    qwen_server,
    serve,
)

from midfill.inference.errors import (
    Cancelled,
    EngineBusy,
    EngineUnavailable,
    MidfillError,
    UsageError,
)
from midfill.inference.fillers import vllm
from midfill.inference.fillers.filler import Run
from midfill.inference.fillers.vllm import VllmFiller, open_vllm
from midfill.inference.models.reference import model_reference
from midfill.inference.progress import Progress, nobody_listens
from midfill.inference.stopwatch import Stopwatch
from midfill.inference.vllm import abilities, access, exchange, waiting
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
SHORT = REQUEST.model_copy(update={"limits": Limits(deadline_ms=600)})


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
    qwen_server()
    filled(opened_once)  # else it would ask anew after a failure in the test before
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
        monkeypatch.setattr(exchange, "wait_before", lambda attempt, told: 0.01)
        line = refused(EngineUnavailable, lambda: opened("vllm:http://127.0.0.1:9"))
        assert "127.0.0.1:9 cannot be reached" in line

    def test_a_host_that_nobody_has(self, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exchange, "wait_before", lambda attempt, told: 0.01)
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

    @pytest.mark.parametrize(
        ("path", "patience"),
        [("/health", "FIRST_SECONDS"), ("/v1/models", "FIRST_SECONDS"), ("/tokenize", "SECONDS")],
    )
    def test_a_server_that_never_answers(
        self, path: str, patience: str, opened: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert abilities.FIRST_SECONDS <= 5
        monkeypatch.setattr(abilities, patience, 0.3)
        server = qwen_server(faults=Faults(path=path, silent=True))
        assert "has not answered within" in refused(EngineUnavailable, lambda: opened(server.name))
        assert server.dropped.wait(5)

    @pytest.mark.parametrize("path", ["/health", "/v1/models", "/tokenize"])
    def test_whoever_listens_can_call_it_off(self, path: str) -> None:
        server = qwen_server(faults=Faults(path=path, silent=True))
        told: list[str] = []

        def listener(progress: Progress) -> None:
            told.append(progress.message)
            if path in [asked for asked, _, _ in server.asked]:
                raise Cancelled("nobody wants it")

        before = threading.active_count()
        with pytest.raises(Cancelled):
            open_vllm(model_reference(server.name), listener)
        assert server.dropped.wait(5)
        assert threading.active_count() <= before
        assert set(told) == {f"asking the vLLM server at {server.url[7:]} what it has"}

    def test_showing_a_prompt_does_not_wait_for_ever(
        self, filler: VllmFiller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert vllm.PROMPT_SECONDS <= 5
        monkeypatch.setattr(vllm, "PROMPT_SECONDS", 0.2)
        qwen_server(faults=Faults(path="/tokenize", silent=True))
        line = refused(EngineUnavailable, lambda: filler.prompt(REQUEST))
        assert "has not answered within" in line

    @pytest.mark.parametrize("make", [qwen_server, gemma_server])
    def test_a_tokenizer_that_makes_nothing_of_text(
        self, make: Callable[[], State], opened: Opener
    ) -> None:
        server = make()
        real = server.tokenizer.encode

        def encode(text: str, *, special: bool = False) -> list[int]:
            return real(text, special=special) if text in server.tokenizer.markers else []

        server.tokenizer.encode = encode  # type: ignore[method-assign]
        line = refused(EngineUnavailable, lambda: opened(server.name))
        assert "/tokenize with no ids for a text" in line

    def test_of_many_models_ten_are_named(self, opened: Opener) -> None:
        server = qwen_server(names=tuple(f"m{n}" for n in range(2000)))
        for name in (server.name, f"{server.name}#another"):
            line = refused(UsageError, lambda name=name: opened(name))
            assert line.endswith("'m9' and 1990 more")
            assert len(line) < 300

    @pytest.mark.parametrize(
        ("told", "version"),
        [
            ("0.33.0", "0.33.0"),
            ("0.11.1rc2.dev7+g1a2b3c", "0.11.1rc2.dev7+g1a2b3c"),
            ("1\n2026-11-26 ERROR forged \x1b[31m", ""),
            ("1\n", ""),
            ("٣", ""),
            ("9" * 65, ""),
        ],
    )
    def test_a_version_that_is_none_reaches_no_log(
        self, told: str, version: str, opened: Opener, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        body = json.dumps({"version": told}).encode()
        server = qwen_server(faults=Faults(path="/version", body=body))
        assert opened(server.name).server.abilities.version == version
        assert f"vLLM {version or 'of unknown version'} at " in caplog.text

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
        monkeypatch.setattr(exchange, "wait_before", lambda attempt, told: 0.01)
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

    @pytest.mark.parametrize(
        "told",
        [
            "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
            "Mon, 01 Jan 2020 00:00:00 +99999999",
            "Fri, 31 Dec 9999 23:59:59 -2359",
            "-5",
            "1e9",
            "²",
            "\x00",
        ],
    )
    def test_what_is_no_time_to_wait_is_passed_over(self, told: str) -> None:
        assert wait_before(0, told) >= 0

    def test_a_server_that_says_when_in_no_time_there_is_is_asked_again(
        self, filler: VllmFiller
    ) -> None:
        server = qwen_server()
        told = {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}
        server.faults.statuses = [(503, told)]
        assert filled(filler).text == "total + value"


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

    @pytest.mark.parametrize("told", [True, False], ids=["tokens told", "not told"])
    def test_a_server_that_writes_more_than_was_asked_for_is_left(
        self, told: bool, filler: VllmFiller
    ) -> None:
        server = qwen_server()
        log_probabilities = ', "logprobs": {"token_logprobs": [-0.1]}' if told else ""
        chunk = f'{{"choices": [{{"index": 0, "text": "(a, "{log_probabilities}}}]}}'
        server.faults = Faults(
            body=f"data: {chunk}\n\n".encode() * 3000, content_type="text/event-stream"
        )
        limited = REQUEST.model_copy(update={"limits": Limits(tokens=8)})
        run = Run(monotonic() + 10, Stopwatch(monotonic()), lambda: False)
        *drafts, final = filler.fill(limited, run)
        assert isinstance(final, Final)
        assert (final.text, final.stop, final.tokens) == ("(a, " * 7 + "(a,", Stop.TOKEN_LIMIT, 8)
        assert len(drafts) == 8

    @pytest.mark.parametrize(
        ("text", "tokens"), [("(a," * 300_000, 1), ("(a," * 300_000, 0), ("x = y + " * 100, 100)]
    )
    def test_nor_is_more_taken_from_one_piece(
        self, text: str, tokens: int, filler: VllmFiller
    ) -> None:
        server = qwen_server()
        choice = {"index": 0, "text": text, "logprobs": {"token_logprobs": [-0.1] * tokens}}
        body = b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"
        server.faults = Faults(body=body, content_type="text/event-stream")
        limited = REQUEST.model_copy(update={"limits": Limits(tokens=10)})
        final = filled(filler, limited)
        assert final.stop is Stop.TOKEN_LIMIT
        assert final.tokens <= 10
        assert len(final.log_probabilities) <= 10
        assert 0 < len(final.text) <= (80 if tokens == 100 else 2560)

    def test_a_limit_that_is_just_met_is_no_excess(self, filler: VllmFiller) -> None:
        server = qwen_server()
        pieces = [
            {"text": ""},
            {"text": "x", "logprobs": {"token_logprobs": [-0.1]}},
            {"text": "y"},
            {"text": "", "finish_reason": "stop"},
        ]
        body = b"".join(b"data: %s\n\n" % json.dumps({"choices": [one]}).encode() for one in pieces)
        server.faults = Faults(body=body + b"data: [DONE]\n\n", content_type="text/event-stream")
        final = filled(filler, REQUEST.model_copy(update={"limits": Limits(tokens=2)}))
        assert (final.text, final.stop, final.tokens) == ("xy", Stop.END_TOKEN, 2)

    def test_a_draft_comes_only_when_there_is_more_to_see(self, filler: VllmFiller) -> None:
        server = qwen_server()
        texts = ["a", "", "", "b", "", "\x1b"]
        chunks = [{"choices": [{"text": text}]} for text in texts]
        chunks += [{"choices": [{"text": "", "finish_reason": "stop"}]}, {"choices": []}]
        body = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)
        server.faults = Faults(body=body + b"data: [DONE]\n\n", content_type="text/event-stream")
        run = Run(monotonic() + 10, Stopwatch(monotonic()), lambda: False)
        *drafts, final = filler.fill(REQUEST, run)
        assert [draft.text for draft in drafts] == ["a", "ab"]
        assert final.text == "ab"

    @pytest.mark.parametrize("status", [401, 403, 404, 400, 429, 500])
    def test_a_refused_alternative_does_no_harm_either(
        self, status: int, filler: VllmFiller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exchange, "wait_before", lambda attempt, told: 0.01)
        server = qwen_server()
        run = Run(monotonic() + 10, Stopwatch(monotonic()), lambda: False)
        filling = filler.fill(REQUEST.model_copy(update={"n": 3}), run)
        next(filling)
        server.faults = Faults(statuses=[(status, {})] * 9)
        *_, final = filling
        assert isinstance(final, Final)
        assert (final.text, final.alternatives) == ("total + value", ())

    def test_but_whoever_does_not_want_the_fill_gets_none(self, filler: VllmFiller) -> None:
        server = qwen_server()
        unwanted = threading.Event()
        run = Run(monotonic() + 10, Stopwatch(monotonic()), unwanted.is_set)
        filling = filler.fill(REQUEST.model_copy(update={"n": 3}), run)
        next(filling)
        server.faults = Faults(silent=True)
        threading.Timer(0.2, unwanted.set).start()
        with pytest.raises(Cancelled):
            list(filling)

    @pytest.mark.parametrize(
        "usage",
        [
            {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": -5}},
            {"prompt_tokens": 1, "completion_tokens": -1},
            {"prompt_tokens": -1},
        ],
    )
    def test_counts_below_zero(self, usage: dict[str, object], filler: VllmFiller) -> None:
        server = qwen_server()
        body = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        server.faults = Faults(body=body, content_type="text/event-stream")
        assert "another form" in refused(EngineUnavailable, lambda: filled(filler))

    def test_escape_codes_are_shown_to_nobody(self, filler: VllmFiller) -> None:
        server = qwen_server(answer=lambda prefix, suffix, draw: "\x1b]0;pwned\x07total\x00")
        run = Run(monotonic() + 10, Stopwatch(monotonic()), lambda: False)
        shown = [item.text for item in filler.fill(REQUEST, run)]
        assert shown[-1] == "]0;pwnedtotal"
        assert "".join(shown).isprintable()
        assert server.bodies()

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
        assert waiting.POLL <= 0.05
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


class TestAnotherServer:
    """The same address and name, but started anew with another model."""

    @pytest.mark.parametrize("fault", [Faults(statuses=[(404, {})]), Faults(close_after=0)])
    def test_is_asked_what_it_has_once_a_fill_failed(self, fault: Faults, opened: Opener) -> None:
        filler = opened(qwen_server(faults=Faults()).name)
        filled(filler)
        other = serve(State(ToyTokenizer(STARCODER_MARKERS), faults=fault))
        refused(MidfillError, lambda: filled(filler))
        other.faults = Faults()
        assert filled(filler).text == "total + value"
        sent = other.tokenizer.decode(other.bodies()[-1]["prompt"])
        assert sent == f"<fim_prefix><fim_suffix>{REQUEST.suffix}<fim_middle>{REQUEST.prefix}"
        asked = [path for path, _, _ in other.asked].count("/v1/models")
        filled(filler)
        assert [path for path, _, _ in other.asked].count("/v1/models") == asked

    def test_that_has_the_model_no_more_is_told_so(self, opened: Opener) -> None:
        filler = opened(qwen_server().name)
        qwen_server(names=("another",))
        assert "or no longer the model" in refused(UsageError, lambda: filled(filler))
        assert "no model 'toy'; it has: 'another'" in refused(UsageError, lambda: filled(filler))

    def test_is_waited_for_no_longer_than_a_request_waits(self, opened: Opener) -> None:
        filler = opened(qwen_server().name)
        server = qwen_server(faults=Faults(statuses=[(500, {})]))
        refused(EngineUnavailable, lambda: filled(filler))
        server.faults = Faults(path="/health", silent=True)
        final = filled(filler, SHORT)
        assert (final.text, final.stop) == ("", Stop.DEADLINE)


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
