"""Hubs, redirects, proxies and settings that make no sense: each is one clear line."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hub_repository import FIRST, NAME, SECOND, SHARDS, forget_settings, hub_of, repository
from hub_service import running

from midfill.inference.downloads.repository.ensuring import was_accepted
from midfill.inference.downloads.repository.listing import ask_hub
from midfill.inference.downloads.repository.pulling import Wish, pull_snapshot
from midfill.inference.downloads.repository.snapshots import snapshots
from midfill.inference.errors import DownloadFailed, UsageError, WeightsCorrupt
from midfill.inference.progress import nobody_listens
from midfill.lsp.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub_service import HubService

Answer = dict[str, Any]
Retold = Callable[[Answer], object]

PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_settings(monkeypatch)
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path / "cache"))
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubService]:
    with running(hub_of()) as service:
        monkeypatch.setenv("HF_ENDPOINT", service.url)
        yield service


# Listings


def first_file(**fields: object) -> Retold:
    """Change fields of the first file that is listed."""

    def change(answer: Answer) -> Answer:
        answer["siblings"][0].update(fields)
        return answer

    return change


def whole(**fields: object) -> Retold:
    """Change fields of the answer as a whole."""
    return lambda answer: answer | fields


@pytest.mark.parametrize(
    "retold",
    [
        lambda _: [1],
        lambda _: None,
        lambda _: b"[" * 200_000,
        lambda _: b"\xff\xfe",
        whole(siblings=None),
        whole(siblings={"a": 1}),
        whole(siblings="abc"),
        whole(siblings=["a"]),
        whole(tags=5, cardData=None),
        whole(tags=[5], cardData=None),
        whole(cardData=[1]),
        whole(cardData="x"),
        first_file(size="7"),
        first_file(size=-5),
        first_file(size=2.0),
        first_file(size=True),
        first_file(size=10**30),
        first_file(rfilename=5),
        first_file(rfilename=None),
        first_file(blobId=5),
        first_file(blobId="?"),
        first_file(lfs=[1]),
        first_file(lfs={"size": "x", "sha256": "a" * 64}),
        first_file(lfs={"size": 5, "sha256": 5}),
    ],
)
def test_a_listing_that_makes_no_sense_is_one_clear_line(hub: HubService, retold: Retold) -> None:
    hub.retold = retold

    with pytest.raises(DownloadFailed, match=r"\(the model hub answers something else than a l"):
        ask_hub(NAME, "main")


@pytest.mark.parametrize("sha", [None, 5, ["a"], "../../x", FIRST.upper() + "A"])
def test_a_listing_without_a_commit_is_one_clear_line(hub: HubService, sha: object) -> None:
    hub.retold = lambda answer: answer | {"sha": sha}

    with pytest.raises(DownloadFailed, match="does not tell the commit"):
        ask_hub(NAME, "main")


def test_another_commit_than_the_one_that_was_named_is_refused(hub: HubService) -> None:
    hub.repositories[NAME].branches[SECOND] = FIRST

    with pytest.raises(DownloadFailed, match="another commit than it was asked for"):
        ask_hub(NAME, SECOND)
    assert ask_hub(NAME, FIRST).commit == FIRST


def test_two_files_of_the_same_name_are_refused(hub: HubService) -> None:
    hub.retold = lambda answer: answer | {"siblings": [*answer["siblings"], answer["siblings"][0]]}

    with pytest.raises(DownloadFailed, match=r"two files of the same name \('README.md'\)"):
        ask_hub(NAME, "main")


def test_an_endless_answer_is_not_read_to_its_end(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midfill.inference.downloads.repository.listing._LONGEST_ANSWER", 1000)
    hub.retold = lambda answer: answer | {"padding": "x" * 1000}

    with pytest.raises(DownloadFailed, match="answers something else than a listing"):
        ask_hub(NAME, "main")


@pytest.mark.parametrize("name", ["tests/a--b", "tests/a..b", "tests/small.git"])
def test_names_that_the_hub_does_not_allow_are_not_asked_for(hub: HubService, name: str) -> None:
    with pytest.raises(UsageError, match="no repository of the model hub can be called"):
        ask_hub(name, "main")
    assert hub.requests == []


def test_a_listing_takes_one_request_which_tells_nothing_of_the_machine(hub: HubService) -> None:
    ask_hub(NAME, "main")

    assert [path for _, path, _ in hub.requests] == [f"/api/models/{NAME}/revision/main"]
    assert len(hub.agents) == 1
    assert (hub.agents.pop() or "").split("/")[0] == "midfill"


def test_a_branch_with_slashes_is_one_revision(hub: HubService) -> None:
    hub.repositories[NAME].branches["refs/pr/1"] = FIRST

    assert ask_hub(NAME, "refs/pr/1").commit == FIRST


# What a hub says reaches no terminal as it is


def test_the_name_of_a_shard_cannot_steer_a_terminal(hub: HubService) -> None:
    index = b'{"weight_map": {"a": "\\u001b]0;title\\u0007\\u001b[31mevil.safetensors"}}'
    hub.repositories[NAME] = repository(files={"model.safetensors.index.json": index})

    with pytest.raises(WeightsCorrupt, match=r"names \]0;title \[31mevil.safetensors, which is"):
        pull_snapshot(ask_hub(NAME, "main"), Wish("main"), nobody_listens)


@pytest.mark.parametrize(
    "index",
    [
        b'{"weight_map":' + b"[" * 200_000,
        b'{"weight_map": {"a": ["x"]}}',
        b'{"weight_map": {"a": 1}}',
    ],
)
def test_an_index_that_makes_no_sense_is_half_a_checkpoint(hub: HubService, index: bytes) -> None:
    hub.repositories[NAME] = repository(files={"model.safetensors.index.json": index})

    with pytest.raises(WeightsCorrupt, match=r"index\.json cannot be read"):
        pull_snapshot(ask_hub(NAME, "main"), Wish("main"), nobody_listens)
    assert hub.transfers(SHARDS[0]) == []


def test_an_error_cannot_steer_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "tests/x,revision=\x1b[31mred\x1b]0;t\x07"
    monkeypatch.setattr(sys, "argv", ["midfill", "model", "pull", name, "--offline"])

    with pytest.raises(SystemExit):
        main()

    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("midfill: tests/x,revision= [31mred ]0;t  has not been pulled")
    assert told.isprintable()


# Redirects


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "xn--", "[::1", "xn--a.example"])
def test_a_redirect_to_a_place_that_cannot_be_is_one_clear_line(hub: HubService, host: str) -> None:
    hub.store_url = f"http://{host}"

    with pytest.raises(DownloadFailed, match=r"\(the model hub (names a place|cannot be reached)"):
        pull_snapshot(ask_hub(NAME, "main"), Wish("main"), nobody_listens)


# Settings


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("HTTP_PROXY", "foo://x", "HTTP_PROXY or NO_PROXY is no address"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem", "certificates that SSL_CERT_FILE"),
    ],
)
def test_settings_that_make_no_sense_are_one_clear_line(
    hub: HubService, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(UsageError, match=complaint):
        ask_hub(NAME, "main")
    assert hub.requests == []


def test_a_socks_proxy_without_what_it_needs_is_one_clear_line(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")

    with pytest.raises(UsageError, match=r"a SOCKS proxy is set in ALL_PROXY.* socksio"):
        ask_hub(NAME, "main")


def test_name_and_password_in_the_address_are_used_but_neither_kept_nor_shown(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories[NAME].card = {"license": "other", "license_link": "LICENSE"}
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("http://", "http://me:s%40cret@"))

    snapshot = pull_snapshot(ask_hub(NAME, "main"), Wish("main", accepted=True), nobody_listens)

    basic = f"Basic {base64.b64encode(b'me:s@cret').decode()}"
    assert hub.tokens == {"hub": {basic}, "store": {None}}
    assert snapshot.record.licence.link == f"{hub.url}/{NAME}/blob/main/LICENSE"
    assert "cret" not in (snapshot.folder / "snapshot.json").read_text()


def test_a_licence_that_was_agreed_to_is_not_asked_about_again_on_a_mirror(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories[NAME].card = {"license": "other", "license_name": "their-own"}
    pull_snapshot(ask_hub(NAME, "main"), Wish("main", accepted=True), nobody_listens)
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("127.0.0.1", "localhost"))

    assert was_accepted(NAME, ask_hub(NAME, "main").licence)


# The token


@pytest.fixture
def stored_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has logged in on this machine."""
    path = tmp_path / "token"
    path.write_text("hf_stored\n")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(path))


def test_the_token_that_was_stored_is_sent(hub: HubService, stored_token: None) -> None:
    ask_hub(NAME, "main")

    assert hub.tokens["hub"] == {"Bearer hf_stored"}


def test_no_token_is_sent_where_the_user_does_not_want_that(
    hub: HubService, stored_token: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_variable")

    ask_hub(NAME, "main")

    assert hub.tokens["hub"] == {None}
    hub.status = 403
    with pytest.raises(UsageError, match="unset HF_HUB_DISABLE_IMPLICIT_TOKEN and set HF_TOKEN"):
        ask_hub(NAME, "main")


@pytest.mark.parametrize("token", ["hf_clé", "hf_\x01a", "hf_a b"])
def test_a_token_that_is_none_is_one_clear_line_and_is_not_repeated(
    hub: HubService, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)

    with pytest.raises(UsageError, match="characters in it that no token has") as caught:
        ask_hub(NAME, "main")
    assert token not in str(caught.value)
    assert hub.requests == []


def test_a_token_that_cannot_be_read_is_one_clear_line(
    hub: HubService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path))

    with pytest.raises(UsageError, match="cannot be read or renewed: log in again"):
        ask_hub(NAME, "main")


def test_a_token_that_the_hub_does_not_take_is_named(
    hub: HubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    hub.status = 401

    with pytest.raises(UsageError, match="check the name, and whether the token is valid"):
        ask_hub(NAME, "main")
    assert snapshots(NAME) == ()
