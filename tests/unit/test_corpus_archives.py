"""Reading packages that were made to do harm."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from midfill.inference.errors import DownloadFailed
from midfill.inference.training.corpus import archives
from midfill.inference.training.corpus.archives import is_inside, read_archive

if TYPE_CHECKING:
    from pathlib import Path


def tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def paths(archive: Path) -> list[str]:
    return [member.path for member in read_archive(archive, lambda path: True)]


def test_links_and_paths_that_lead_outside_are_passed_over_in_a_tar(tmp_path: Path) -> None:
    archive = tmp_path / "evil.tgz"
    files = {"package/a.js": b"a", "../../b.js": b"b", "/etc/c.js": b"c", "package/../../d.js": b""}
    archive.write_bytes(tar(files, {"package/passwd.js": "/etc/passwd"}))
    assert paths(archive) == ["package/a.js"]
    assert list(tmp_path.iterdir()) == [archive]


def test_links_and_paths_that_lead_outside_are_passed_over_in_a_zip(tmp_path: Path) -> None:
    archive = tmp_path / "evil.whl"
    link = zipfile.ZipInfo("pkg/passwd.py")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("pkg/a.py", "a")
        opened.writestr("../b.py", "b")
        opened.writestr(link, "/etc/passwd")
    assert paths(archive) == ["pkg/a.py"]


@pytest.mark.parametrize("path", ["..\\a.py", "C:\\a.py", "", "/a", "a/../b"])
def test_paths_of_other_systems_are_understood(path: str) -> None:
    assert not is_inside(path)


def test_huge_members_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 1000)
    archive = tmp_path / "bomb.whl"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("bomb.py", b"0" * 5_000_000)
        opened.writestr("a.py", "a")
    assert paths(archive) == ["a.py"]
    packed = tmp_path / "bomb.tgz"
    packed.write_bytes(tar({"bomb.js": b"0" * 5_000_000, "a.js": b"a"}))
    assert paths(packed) == ["a.js"]


def test_a_package_of_endless_members_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "LARGEST_TOTAL", 1000)
    archive = tmp_path / "many.tgz"
    archive.write_bytes(tar({f"{i}.js": b"0" * 100 for i in range(20)}))
    with pytest.raises(DownloadFailed, match="suspiciously large"):
        paths(archive)


def test_a_debian_package_is_read_through_its_ar(tmp_path: Path) -> None:
    data = tar({"./usr/share/gocode/src/x/a.go": b"package x"})
    archive = tmp_path / "golang-x-dev_1_all.deb"
    members = (("debian-binary", b"2.0\n"), ("control.tar.gz", b"odd"), ("data.tar.gz", data))
    content = b"!<arch>\n"
    for name, part in members:
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(part):<10}`\n".encode() + part
        content += b"\n" * (len(part) % 2)
    archive.write_bytes(content)
    assert paths(archive) == ["usr/share/gocode/src/x/a.go"]


@pytest.mark.parametrize("name", ["a.whl", "a.tgz", "a.deb"])
@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense" * 100, gzip.compress(b"nonsense" * 999)[:50]],
    ids=["empty", "nonsense", "cut off"],
)
def test_damaged_archives_are_one_kind_of_error(tmp_path: Path, name: str, data: bytes) -> None:
    archive = tmp_path / name
    archive.write_bytes(data)
    with pytest.raises(DownloadFailed, match=f"{name} is damaged"):
        paths(archive)
