"""Which servers may be named, where tokens for them come from, and who may name one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from midfill.inference.endpoint import name_of, parse_endpoint
from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.service.access import access_for
from midfill.inference.service.gate import LOOPBACK_NAMES
from midfill.inference.transport import TcpAddress, TlsAddress, UnixAddress
from midfill.lsp.endpoint_token import SERVICE, VARIABLE, authorized
from midfill.lsp.settings_store import SettingsStore
from midfill.lsp.token_command import app as token_app

if TYPE_CHECKING:
    from midfill.inference.service.callers import Credential

HERE = TlsAddress("https://fill.example:8443")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://fill.example:8443", HERE),
        (" https://Fill.Example:8443/ ", HERE),
        ("https://fill.example", TlsAddress("https://fill.example")),
        ("https://[2001:db8::1]:8443", TlsAddress("https://[2001:db8::1]:8443")),
        ("http://127.0.0.1:9000", TcpAddress("127.0.0.1", 9000)),
        ("http://localhost:9000", TcpAddress("localhost", 9000)),
        ("http://[::1]:9000", TcpAddress("::1", 9000)),
        ("unix:/run/midfill.sock", UnixAddress(Path("/run/midfill.sock"))),
    ],
)
def test_an_endpoint_has_one_of_three_forms(text: str, address: object) -> None:
    parsed = parse_endpoint(text)
    assert parsed == address
    assert parse_endpoint(name_of(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fill.example:8443",
        "ftp://fill.example",
        "https://",
        "https://fill.example:port",
        "https://fill.example:99999",
        "https://fill.example/v1",
        "https://fill.example?token=sesame",
        "https://ann:sesame@fill.example",
        "sesame@fill.example",
        "https://[::1",
        "http://fill.example:80",
        "http://127.0.0.1",
        "http://127.0.0.1.attacker.example:80",
        "unix:run/midfill.sock",
        "unix:",
    ],
)
def test_anything_else_is_refused_in_one_line_without_what_may_be_a_token(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_endpoint(text)
    assert "\n" not in str(refused.value)
    assert "sesame" not in str(refused.value)


class Keyring(SimpleNamespace):
    """In place of the keyring package."""

    def __init__(self) -> None:
        super().__init__(kept={})

    def get_password(self, service: str, user: str) -> str | None:
        return self.kept.get((service, user))

    def set_password(self, service: str, user: str, password: str) -> None:
        self.kept[service, user] = password


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    keyring = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.delenv(VARIABLE, raising=False)
    return keyring


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_the_environment_goes_before_the_file_and_that_before_the_keyring(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = private(tmp_path / "token", "from-file\n")
    assert authorized(HERE) == HERE

    keyring.set_password(SERVICE, HERE.url, "from-keyring")
    assert authorized(HERE).token == "from-keyring"
    assert authorized(TlsAddress("https://elsewhere.example")).token == ""
    assert authorized(HERE, file).token == "from-file"
    monkeypatch.setenv(VARIABLE, "from-environment")
    assert authorized(HERE, file).token == "from-environment"
    assert "from-environment" not in repr(authorized(HERE))
    assert authorized(UnixAddress(Path("/s"))) == UnixAddress(Path("/s"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file"),
        (lambda path: (path.write_text("sesame"), path.chmod(0o644)), "chmod 600"),
        (lambda path: private(path, "\n"), "is empty"),
        (lambda path: private(path, "ann sesame"), "holds blanks"),
        (lambda path: private(path, "s\xe9same"), "not ASCII"),
    ],
)
def test_a_token_file_that_will_not_do_is_refused(
    make: object, words: str, tmp_path: Path, keyring: Keyring
) -> None:
    keyring.set_password(SERVICE, HERE.url, "from-keyring")
    make(tmp_path / "token")  # type: ignore[operator]

    with pytest.raises(UsageError, match=words) as refused:
        authorized(HERE, str(tmp_path / "token"))

    assert "same" not in str(refused.value).replace(str(tmp_path), "")


def test_a_broken_keyring_is_like_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: str) -> str:
        raise RuntimeError("sesame")

    monkeypatch.delenv(VARIABLE, raising=False)
    for module in (None, SimpleNamespace(get_password=broken)):
        monkeypatch.setitem(sys.modules, "keyring", module)
        assert authorized(HERE).token == ""


def test_a_token_is_stored_for_its_endpoint(keyring: Keyring) -> None:
    done = CliRunner().invoke(token_app, ["store", "https://FILL.example:8443/"], input="sesame\n")

    assert done.exit_code == 0
    assert keyring.kept == {(SERVICE, HERE.url): "sesame"}
    assert "sesame" not in done.output


def test_without_a_keyring_storing_says_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    done = CliRunner().invoke(token_app, ["store", HERE.url], input="sesame\n")

    assert isinstance(done.exception, MidfillError)
    assert "endpointTokenFile" in str(done.exception)
    assert "sesame" not in str(done.exception)


def test_tokens_are_given_out_once_and_taken_back(tmp_path: Path) -> None:
    file = str(tmp_path / "tokens")
    given = CliRunner().invoke(token_app, ["new", "ann", "--token-file", file])
    token = given.stdout.strip()

    assert given.exit_code == 0
    assert token not in Path(file).read_text()
    assert CliRunner().invoke(token_app, ["revoke", "ann", "--token-file", file]).exit_code == 0
    assert "ann sha256" not in Path(file).read_text()


def test_a_cloned_repository_cannot_send_source_text_elsewhere(tmp_path: Path) -> None:
    complaints: list[str] = []
    elsewhere = "https://attacker.example"
    (tmp_path / ".midfill.toml").write_text(
        f'endpoint = "{elsewhere}"\nendpointTokenFile = "/etc/passwd"\n'
        f'[languages.python]\nendpoint = "{elsewhere}"\n'
    )
    settings = SettingsStore(complaints.append)
    settings.start_with({"endpoint": HERE.url})
    settings.open_folders([tmp_path.as_uri()])
    settings.configure(None, {tmp_path.as_uri(): {"endpoint": elsewhere}})

    document = settings.for_document((tmp_path / "a.py").as_uri(), "python")

    assert settings.everywhere.endpoint == document.endpoint == HERE.url
    assert document.endpoint_token_file == ""
    assert any("endpoint is for your own settings alone" in said for said in complaints)
    assert any("endpoint cannot be set for one language" in said for said in complaints)


def nobody() -> tuple[Credential, ...]:
    return ()


def test_beyond_loopback_tls_is_needed_here_or_in_front(tmp_path: Path) -> None:
    pem = {"certificate": tmp_path / "c", "key": tmp_path / "k"}
    for host in ("0.0.0.0", "::", "192.0.2.1", "fill.example"):
        with pytest.raises(UsageError, match="--plain-http"):
            access_for(host, nobody)
        assert access_for(host, nobody, plain_http=True).tls is None
        assert access_for(host, nobody, **pem).tls is not None
    for host in ("127.0.0.1", "::1", "localhost"):
        assert access_for(host, nobody).tls is None
    with pytest.raises(UsageError, match="belong together"):
        access_for("0.0.0.0", nobody, certificate=tmp_path / "c")
    with pytest.raises(UsageError, match="contradicts"):
        access_for("0.0.0.0", nobody, plain_http=True, **pem)


def test_names_of_the_server_are_its_own_on_loopback_and_any_or_the_given_elsewhere() -> None:
    assert access_for("127.0.0.1", nobody).hosts == LOOPBACK_NAMES
    proxied = access_for("127.0.0.1", nobody, plain_http=True, allow_hosts=["Fill.example"])
    assert proxied.hosts == LOOPBACK_NAMES | {"fill.example"}
    assert proxied.shared
    assert not access_for("127.0.0.1", nobody).shared
    assert access_for("0.0.0.0", nobody, plain_http=True).hosts is None
    named = access_for("0.0.0.0", nobody, plain_http=True, allow_hosts=["fill.example"])
    assert named.hosts == {"fill.example"}
