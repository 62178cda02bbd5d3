from __future__ import annotations

import json
import os
import socket
import stat
import warnings
from typing import TYPE_CHECKING

import pytest

from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.listening import Listener
from midfill.inference.transport import (
    LONGEST_SOCKET_PATH,
    LoopbackAddress,
    TcpAddress,
    UnixAddress,
    engine_address,
    private_folder,
    runtime_folder,
    slug,
)

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_runtime_folder_is_made_for_the_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))

    assert runtime_folder() == tmp_path / "run"
    assert mode(tmp_path / "run") == 0o700


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o750)

    with pytest.raises(MidfillError, match="chmod 700"):
        private_folder(folder)


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(MidfillError, match="symbolic link"):
        private_folder(tmp_path / "link")


def test_somebody_elses_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)

    with pytest.raises(MidfillError, match="belongs to the user"):
        private_folder(folder)


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(MidfillError, match="not a folder"):
        private_folder(tmp_path / "file")


def test_nothing_is_warned_of_where_the_system_has_no_runtime_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIDFILL_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine_address("embedded")


def test_an_engine_that_listens_lets_in_the_user_alone(tmp_path: Path) -> None:
    listener = Listener(UnixAddress(tmp_path / "e.sock"))

    assert mode(tmp_path / "e.sock") == 0o600

    listener.close()
    assert not (tmp_path / "e.sock").exists()


def test_the_socket_of_a_dead_engine_is_replaced(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "e.sock"))
    dead.close()

    listener = Listener(UnixAddress(tmp_path / "e.sock"))

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "e.sock"))
    listener.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(UsageError, match="not a socket"):
        Listener(UnixAddress(tmp_path / "thesis.txt"))

    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_engine_that_ends_leaves_its_successors_socket(tmp_path: Path) -> None:
    first = Listener(UnixAddress(tmp_path / "e.sock"))
    (tmp_path / "e.sock").rename(tmp_path / "old.sock")
    second = Listener(UnixAddress(tmp_path / "e.sock"))

    first.close()

    assert (tmp_path / "e.sock").exists()
    second.close()


def test_a_folder_with_a_long_path_has_a_short_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / ("long" * 30)))

    address = engine_address("embedded")

    assert isinstance(address, UnixAddress)
    assert len(os.fsencode(address.path)) <= LONGEST_SOCKET_PATH
    assert mode(address.path.parent) == 0o700
    assert engine_address("embedded") == address
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / ("else" * 30)))
    other = engine_address("embedded")
    assert other != address
    for made in (address, other):
        assert isinstance(made, UnixAddress)
        made.path.parent.rmdir()


def test_a_socket_path_that_is_too_long_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose a shorter one"):
        Listener(UnixAddress(tmp_path / ("long" * 30)))


def test_models_have_addresses_of_their_own() -> None:
    names = [
        "embedded",
        "Qwen/Qwen2.5",
        "qwen/qwen2.5",
        "/a/b",
        "/a-b",
        "vllm:http://h:1#x",
        "模型",
    ]

    assert len({slug(name) for name in names}) == len(names)
    assert slug("embedded") == "embedded"
    for name in names:
        assert set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(slug(name)) <= 25


def test_without_unix_sockets_a_private_file_names_port_and_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("MIDFILL_TRANSPORT", "tcp")
    address = engine_address("embedded")
    assert isinstance(address, LoopbackAddress)

    listener = Listener(address)

    assert mode(address.file) == 0o600
    told = json.loads(address.file.read_text())
    assert told["port"] == listener.socket.getsockname()[1]
    assert told["token"] == listener.token
    assert len(told["token"]) > 30
    assert listener.socket.getsockname()[0] == "127.0.0.1"
    listener.close()
    assert list(address.file.parent.iterdir()) == []


def test_a_port_that_is_taken_is_refused_in_words() -> None:
    taken = Listener(TcpAddress("127.0.0.1", 0))
    port = taken.socket.getsockname()[1]

    with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1:{port}"):
        Listener(TcpAddress("127.0.0.1", port))

    taken.close()


def test_small_answers_over_tcp_are_sent_at_once() -> None:
    listener = Listener(TcpAddress("127.0.0.1", 0))
    try:
        # asyncio switches Nagle's algorithm off where the socket names its protocol.
        assert listener.socket.proto == socket.IPPROTO_TCP
    finally:
        listener.close()
