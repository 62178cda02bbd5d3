"""Requests that are no requests, in thousands: each gets a clear refusal or a closed connection."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import h11
import pytest
from echo_service import start_at_socket
from hypothesis import given, settings
from hypothesis import strategies as st
from soaking import times

from midfill.inference.service.facade.operations import OPERATIONS
from midfill.inference.transport import UnixAddress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from echo_service import EchoService

EACH = times(250, 2500)
"""Of four kinds."""

SECRET = "c4n4ry_in_the_source"
ROUTES = [(it.method.upper(), it.path) for it in OPERATIONS if it.path != "/v1/drain"]
POSTED = [it.path for it in OPERATIONS if it.reads]
MEANT = {200, 202, 400, 404, 405, 408, 413, 422, 429, 503}
"""503 is said by an engine that has no room; a fault of the server would be a 500."""

FIELDS = (
    *("prefix", "suffix", "prompt", "holes", "limits", "context", "language", "n", "seed", "stop"),
    *("temperature", "stream", "max_tokens", "input_prefix", "input_suffix", "input_extra"),
    *("n_predict", "t_max_predict_ms", "response_fields", "options", "document", "model"),
)


@pytest.fixture(scope="module")
def service(short_folder: Path) -> Iterator[EchoService]:
    service = start_at_socket(short_folder, ECHO_STEP_SECONDS="0")
    try:
        service.wait()
        yield service
        assert service.ready()
        log = service.log.read_text()
    finally:
        service.end()
    assert SECRET not in log
    assert not [line for line in log.splitlines() if " ERROR " in line or " CRITICAL " in line]


def told(service: EchoService, sent: bytes, *, leave: bool = False) -> bytes:
    """All that a server says to some bytes until it closes the connection.

    Args:
        leave: say that nothing more will come; to the server its client is gone then.
    """
    assert isinstance(service.address, UnixAddress)
    said = bytearray()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(service.address.path))
        try:
            sock.sendall(sent)
            if leave:
                sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                said += piece
        except (BrokenPipeError, ConnectionResetError):
            pass  # it had heard enough
    return bytes(said)


def replies(said: bytes, method: str) -> list[tuple[int, str, bytes]]:
    """Status, content type and body of every whole reply; raises where they are no HTTP."""
    reading = h11.Connection(h11.CLIENT)
    found = []
    while said:
        reading.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        reading.send(h11.EndOfMessage())
        reading.receive_data(said)
        reading.receive_data(b"")
        body, head = b"", reading.next_event()
        assert isinstance(head, h11.Response)
        while isinstance(event := reading.next_event(), h11.Data):
            body += bytes(event.data)
        assert isinstance(event, h11.EndOfMessage)
        kind = dict(head.headers).get(b"content-type", b"").decode()
        found.append((head.status_code, kind, body))
        said = reading.trailing_data[0]
        reading = h11.Connection(h11.CLIENT)
    return found


def check(
    service: EchoService, sent: bytes, method: str = "POST", *, leave: bool = False
) -> list[int]:
    """Every reply is whole, meant and of the form that it says; their statuses."""
    found = replies(told(service, sent, leave=leave), method)
    for status, kind, body in found:
        assert status in MEANT, (status, body)
        assert SECRET.encode() not in body or status < 400
        assert status < 400 or kind == "application/json"
        if kind == "application/json" and method != "HEAD":
            answer = json.loads(body)
            if status >= 400:
                refusal = answer.get("error", answer)
                assert refusal if isinstance(refusal, str) else refusal["message"]
    return [status for status, *_ in found]


def request(path: str, body: bytes, method: str = "POST", length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    return (
        b"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
        % (
            method.encode(),
            path.encode(),
            length,
            body,
        )
    )


paths = st.sampled_from(POSTED)
text = st.text(max_size=20) | st.just(SECRET)
numbers = (
    st.integers() | st.sampled_from([0, -1, 2**31, 2**63, -(2**63) - 1, 10**400]) | st.floats()
)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
forms = st.dictionaries(st.sampled_from(FIELDS) | text, values, max_size=6)


@settings(max_examples=EACH)
@given(path=paths, form=forms | values)
def test_json_of_any_form_is_answered(service: EchoService, path: str, form: object) -> None:
    body = json.dumps(form).encode()
    assert len(check(service, request(path, body))) == 1


@settings(max_examples=EACH)
@given(path=paths, form=forms, data=st.data())
def test_damaged_json_is_refused(
    service: EchoService, path: str, form: dict[str, object], data: st.DataObject
) -> None:
    whole = json.dumps({"prefix": SECRET, "prompt": SECRET, **form}).encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(
        st.sampled_from(
            [
                whole[:at],
                whole[:at] + b"\xff\xfe" + whole[at:],
                whole[:at] + b"\x00" + whole[at:],
                whole + whole,
                b"[" * 50_000,
                b'{"prefix":' * 20_000,
                b'{"prompt": "\\ud800", "prefix": "\\ud800"}',
                b'{"prefix": "a", "seed": 1' + b"0" * 5000 + b"}",
                b"\xef\xbb\xbf" + whole,
                whole.decode().encode("utf-16"),
            ]
        )
    )
    [status] = check(service, request(path, damaged))
    assert status in (400, 422)


@settings(max_examples=EACH)
@given(
    route=st.sampled_from(ROUTES) | st.tuples(st.sampled_from(["PUT", "DELETE"]), paths),
    body=st.binary(max_size=200),
    wrong_by=st.integers(-300, 300).filter(bool),
)
def test_a_length_that_is_wrong_harms_nobody(
    service: EchoService, route: tuple[str, str], body: bytes, wrong_by: int
) -> None:
    method, path = route
    if path == "/v1/events":
        return  # it answers for as long as somebody listens
    check(service, request(path, body, method, len(body) + wrong_by), method, leave=True)


LINES = st.sampled_from(
    [
        b"GET /health HTTP/1.1\r\n",
        b"POST /v1/infill HTTP/1.1\r\n",
        b"Host: localhost\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 18446744073709551617\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Upgrade: websocket\r\nConnection: upgrade\r\n",
        b"X: " + b"y" * 20_000 + b"\r\n",
        b"ffffffffffffffff\r\n",
        b"5;x=y\r\n{}{}{\r\n0\r\n\r\n",
        b"\r\n",
        b"\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
)


@settings(max_examples=EACH)
@given(pieces=st.lists(LINES | st.binary(max_size=50), max_size=8))
def test_bytes_that_are_no_request_harm_nobody(service: EchoService, pieces: list[bytes]) -> None:
    said = told(service, b"".join(pieces), leave=True)
    assert not said or said.startswith(b"HTTP/1.1 ")
    assert b" 500 " not in said.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": False}, {"n": "1"}, {"seed": 1.5}, {"limits": {"tokens": True}}],
    ids=str,
)
def test_a_value_of_another_type_is_refused(service: EchoService, wrong: dict[str, object]) -> None:
    body = json.dumps({"prefix": "a", **wrong}).encode()
    assert check(service, request("/v1/infill", body)) == [422]
