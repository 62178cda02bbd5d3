"""What may be read for context: what nothing excludes in the workspace, wherever links lead."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from midfill.inference.exclusion.policy import ExclusionPolicy, UserRules
from midfill.lsp.context import readable_files
from midfill.lsp.context.readable_files import MOST_BYTES, ReadableFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all files that were opened to be read."""
    paths: list[str] = []
    really_open = os.open

    def record(path: str, flags: int) -> int:
        paths.append(path)
        return really_open(path, flags)

    monkeypatch.setattr(readable_files.os, "open", record)
    return paths


def files(folder: Path, *exclude: str) -> ReadableFiles:
    return ReadableFiles(ExclusionPolicy(UserRules(exclude=exclude)), [str(folder)])


def test_a_file_of_the_workspace_is_read(folder: Path) -> None:
    assert files(folder).read(str(folder / "a.py")) == "x = 1\n"
    assert files(folder).is_file(str(folder / "a.py"))
    assert files(folder).stamp(str(folder / "a.py")) is not None


@pytest.mark.parametrize("rule", ["setting", "ours", "git", "secret"])
def test_an_excluded_file_is_never_opened(rule: str, folder: Path, opened: list[str]) -> None:
    path = folder / ("id_rsa" if rule == "secret" else "hidden.py")
    path.write_text("secret = 1\n")
    if rule == "ours":
        (folder / ".midfillignore").write_text("hidden.py\n")
    if rule == "git":
        (folder / ".gitignore").write_text("hidden.py\n")
    readable = files(folder, *(["hidden.py"] if rule == "setting" else []))

    assert readable.read(str(path)) is None
    assert readable.stamp(str(path)) is None
    assert not readable.allows(str(path))
    assert not readable.is_file(str(path))
    assert readable.files_in(str(folder), path.suffix, 9) == (
        [] if rule == "secret" else [str(folder / "a.py")]
    )
    assert opened == []


def test_a_link_to_an_excluded_file_is_not_followed(folder: Path, opened: list[str]) -> None:
    (folder / ".env").write_text("TOKEN=1\n")
    (folder / "innocent.py").symlink_to(".env")

    assert files(folder).read(str(folder / "innocent.py")) is None
    assert opened == []


@pytest.mark.parametrize("link", ["file", "folder", "chain"])
def test_a_link_out_of_the_workspace_is_not_followed(
    link: str, folder: Path, tmp_path: Path, opened: list[str]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.py").write_text("outside = 1\n")
    match link:
        case "file":
            (folder / "b.py").symlink_to(outside / "b.py")
            asked = folder / "b.py"
        case "folder":
            (folder / "package").symlink_to(outside)
            asked = folder / "package" / "b.py"
        case _:
            (folder / "c.py").symlink_to(outside / "b.py")
            (folder / "b.py").symlink_to("c.py")
            asked = folder / "b.py"

    assert files(folder).read(str(asked)) is None
    assert files(folder).stamp(str(asked)) is None
    assert opened == []


def test_a_link_within_the_workspace_is_followed(folder: Path) -> None:
    (folder / "b.py").symlink_to("a.py")

    assert files(folder).read(str(folder / "b.py")) == "x = 1\n"


@pytest.mark.parametrize(
    "path", ["../outside.py", "sub/../../outside.py", "/etc/passwd", "a.py/../../outside.py", ""]
)
def test_paths_out_of_the_workspace_are_not_read(
    path: str, folder: Path, tmp_path: Path, opened: list[str]
) -> None:
    (tmp_path / "outside.py").write_text("outside = 1\n")

    assert files(folder).read(str(folder / path)) is None
    assert files(folder).files_in(str(folder / path / ".."), ".py", 9) == []
    assert opened == []


def test_without_folders_nothing_is_read(folder: Path) -> None:
    assert ReadableFiles(ExclusionPolicy(), []).read(str(folder / "a.py")) is None


def test_a_link_put_in_place_of_a_file_after_it_was_judged_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("TOKEN=1\n")
    really_open = os.open

    def swap(path: str, flags: int) -> int:
        os.unlink(path)  # noqa: PTH108
        os.symlink(folder / ".env", path)  # noqa: PTH211
        return really_open(path, flags)

    monkeypatch.setattr(readable_files.os, "open", swap)

    assert files(folder).read(str(folder / "a.py")) is None


def test_a_folder_swapped_for_a_link_after_it_was_judged_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.py").write_text("outside = 1\n")
    package = folder / "package"
    package.mkdir()
    (package / "b.py").write_text("inside = 1\n")
    really_open = os.open

    def swap(path: str, flags: int) -> int:
        (package / "b.py").unlink()
        package.rmdir()
        package.symlink_to(outside)
        return really_open(path, flags)

    monkeypatch.setattr(readable_files.os, "open", swap)

    assert files(folder).read(str(package / "b.py")) is None


BAD = {
    "binary": b"x = 1\0",
    "latin-1": "é = 1\n".encode("latin-1"),
    "utf-16": "x = 1\n".encode("utf-16"),
    "too large": b"x" * (MOST_BYTES + 1),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_source_text_is_not_read(name: str, folder: Path) -> None:
    (folder / "b.py").write_bytes(BAD[name])

    assert files(folder).read(str(folder / "b.py")) is None


def test_a_byte_order_mark_is_no_text(folder: Path) -> None:
    (folder / "b.py").write_bytes(b"\xef\xbb\xbfx = 1\n")

    assert files(folder).read(str(folder / "b.py")) == "x = 1\n"


def test_a_pipe_or_a_folder_holds_nobody_up(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    (folder / "folder.py").mkdir()
    began = time.monotonic()

    assert files(folder).read(str(folder / "pipe.py")) is None
    assert files(folder).read(str(folder / "folder.py")) is None
    assert files(folder).read(str(folder / "missing.py")) is None
    assert time.monotonic() - began < 1


def test_links_in_a_circle_are_no_file(folder: Path) -> None:
    (folder / "b.py").symlink_to("c.py")
    (folder / "c.py").symlink_to("b.py")

    assert files(folder).read(str(folder / "b.py")) is None


def test_a_folder_gives_so_many_of_its_files_in_order(folder: Path) -> None:
    for name in ("c.go", "b.go", "d.go", "e.txt"):
        (folder / name).write_text("")

    found = files(folder).files_in(str(folder), ".go", 2)
    assert found == [str(folder / "b.go"), str(folder / "c.go")]
