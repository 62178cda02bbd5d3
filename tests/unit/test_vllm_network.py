"""The way to a server, as the environment describes it: proxies and certificates."""

from __future__ import annotations

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest

from midfill.inference.errors import EngineUnavailable, UsageError
from midfill.inference.vllm import access, exchange
from midfill.inference.vllm.access import ApiKey, warn_of_open_transport
from midfill.inference.vllm.client import Client
from midfill.inference.vllm.network import is_loopback, proxy_for, route_to
from midfill.inference.vllm.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(exchange, "wait_before", lambda attempt, told: 0.01)


class _Handler(BaseHTTPRequestHandler):
    """A proxy that writes down what it is asked for."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def asked(address: str) -> None:
    """Ask a server whether it is alive, with a key."""
    made = Client(address, ApiKey(SECRET))
    try:
        made.is_alive(Patience.of(5))
    finally:
        made.close()


def refusal(kind: type[UsageError | EngineUnavailable], address: str) -> str:
    with pytest.raises(kind) as caught:
        asked(address)
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    return line


class TestVariables:
    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("ALL_PROXY", "socks5://127.0.0.1:9", "ALL_PROXY names a SOCKS proxy"),
            ("all_proxy", "socks4://127.0.0.1:9", "all_proxy names no proxy"),
            ("HTTP_PROXY", f"foo://u:{SECRET}@x", "HTTP_PROXY names no proxy"),
            ("http_proxy", "127.0.0.1:99999", "http_proxy names no proxy"),
            ("HTTP_PROXY", "http://[::1", "HTTP_PROXY names no proxy"),
            ("HTTP_PROXY", "http://:80", "HTTP_PROXY names no proxy"),
        ],
    )
    def test_a_proxy_that_is_none_is_named_in_one_line(
        self, name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("midfill.inference.vllm.network.find_spec", lambda name: None)
        monkeypatch.setenv(name, value)
        before = threading.active_count()
        assert words in refusal(UsageError, "http://gpu-box:8000")
        assert threading.active_count() == before

    @pytest.mark.parametrize("value", ["[::1", "*", ",,", "gpu-box", ".x,gpu-box:8000"])
    def test_hosts_that_need_no_proxy_may_be_written_in_any_way(
        self, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_PROXY", value)
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
        Client("http://gpu-box:8000", None).close()
        assert (proxy_for("http://gpu-box:8000") is None) == (value not in ("[::1", ",,"))

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "ssl"])
    def test_certificates_that_cannot_be_read_are_named(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        empty = tmp_path / "empty.pem"
        empty.write_text("")
        monkeypatch.setenv("SSL_CERT_FILE", str(empty if name == "ssl" else tmp_path / "none.pem"))
        assert "SSL_CERT_FILE names no certificates" in refusal(UsageError, "https://gpu-box")

    def test_certificates_that_are_not_needed_are_not_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all.pem")
        Client("http://gpu-box:8000", None).close()

    @pytest.mark.parametrize("address", ["https://127.0.0.1:8000", "https://gpu-box:8000"])
    def test_certificates_count_for_this_machine_as_well(
        self, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end = "-----END CERTIFICATE-----\n"
        one = tmp_path / "one.pem"
        one.write_text(Path(certifi.where()).read_text(encoding="utf-8").partition(end)[0] + end)
        usual = route_to(address, None).authorities.cert_store_stats()["x509_ca"]
        monkeypatch.setenv("SSL_CERT_FILE", str(one))
        assert route_to(address, None).authorities.cert_store_stats()["x509_ca"] == 1 < usual

    def test_a_name_that_nobody_can_have(self) -> None:
        for host in ("xn--", "xn--:8000", "a" * 70 + ".invalid", "a..b"):
            line = refusal(EngineUnavailable, f"http://{host}")
            assert "cannot be reached" in line


class TestProxies:
    def test_it_is_asked_in_place_of_the_server(
        self, proxy: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        asked("http://gpu-box.invalid:8000")
        [(path, headers)] = proxy.seen  # type: ignore[attr-defined]
        assert path == "http://gpu-box.invalid:8000/health"
        assert headers["Authorization"] == f"Bearer {SECRET}"

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
    def test_servers_on_this_machine_are_reached_without(
        self, host: str, proxy: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        line = refusal(EngineUnavailable, f"http://{host}:9")
        assert "proxy" not in line
        assert proxy.seen == []  # type: ignore[attr-defined]

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_one_that_is_down_or_refuses_is_named_without_its_password(
        self, scheme: str, proxy: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # one answers 501 to CONNECT, the other nothing at all
        port = proxy.server_port if scheme == "https" else 9
        monkeypatch.setenv("ALL_PROXY", f"http://user:{SECRET}@127.0.0.1:{port}")
        line = refusal(EngineUnavailable, f"{scheme}://gpu-box.invalid:8000")
        assert f"through the proxy 127.0.0.1:{port} that ALL_PROXY names" in line

    def test_the_warning_of_open_transport_says_who_else_reads(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(access, "_warned_of", set())
        monkeypatch.setenv("HTTP_PROXY", f"http://user:{SECRET}@proxy.example:3128")
        with caplog.at_level(logging.WARNING):
            warn_of_open_transport("http://gpu-box:8000", "gpu-box:8000")
        assert "the proxy proxy.example:3128 can read it and the key" in caplog.text
        assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.2", True),
        ("0.0.0.0", True),
        ("[::]", True),
        ("[::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("10.0.0.7", False),
        ("[2001:db8::1]", False),
        ("gpu-box", False),
    ],
)
def test_what_is_on_this_machine(host: str, here: bool) -> None:
    assert is_loopback(f"http://{host}:8000") is here
