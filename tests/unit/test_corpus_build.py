"""Building a corpus from registries that this machine serves itself."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from midfill.inference.errors import Cancelled, DownloadFailed, NoSpace, UsageError
from midfill.inference.progress import Progress, nobody_listens
from midfill.inference.training.corpus import manifest as manifest_module
from midfill.inference.training.corpus.build import CorpusRequest, build_corpus
from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.corpus.packages import Package, PackageList
from midfill.inference.training.corpus.reader import read_corpus
from midfill.lsp.corpus_command import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

PROBLEM = "def rescale_to_unit(numbers): return [(one - min(numbers)) / spread for one in numbers]"


def code(name: str) -> str:
    return "".join(f"def {name}_{i}(x):\n    return {name}.get(x, {i})\n" for i in range(12))


class Shelf:
    """A folder that a server on the loopback serves as a package index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        shelf = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                shelf.asked.append(self.path)
                super().do_GET()

            def log_message(self, format: str, *args: object) -> None:
                pass

        handler = partial(Handler, directory=str(folder))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def add_wheel(self, name: str, licence: str, files: dict[str, bytes]) -> None:
        wheel = f"{name}-1.0-py3-none-any.whl"
        folder = self.folder / "simple" / name
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(folder / wheel, "w") as archive:
            metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n"
            archive.writestr(f"{info}/METADATA", f"{metadata}License-Expression: {licence}\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
            for path, data in files.items():
                archive.writestr(path, data)

    def wheels_fetched(self) -> list[str]:
        names = (path.rpartition("/")[2] for path in self.asked if path.endswith(".whl"))
        return [name.partition("-")[0] for name in names]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    folder = tmp_path / "shelf"
    folder.mkdir()
    shelf = Shelf(folder)
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{shelf.address}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    problems = gzip.compress(json.dumps({"prompt": PROBLEM}).encode())
    shelf.add_wheel("problems", "MIT", {"problems/data.jsonl.gz": problems})
    shelf.add_wheel(
        "alpha",
        "MIT",
        {
            "alpha/a.py": code("a").replace("\n", "\r\n").encode(),
            "alpha/shared.py": code("shared").encode(),
            "alpha/_vendor/b.py": code("b").encode(),
            "alpha/leak.py": f"{code('leak')}\n{PROBLEM}\n".encode(),
            "alpha/page.js": code("page").encode(),
        },
    )
    shelf.add_wheel("beta", "GPL-3.0-only", {"beta/a.py": code("beta").encode()})
    shelf.add_wheel("gamma", "Apache-2.0 OR MIT", {"gamma/shared.py": code("shared").encode()})
    thread = threading.Thread(target=shelf.server.serve_forever, args=(0.01,))
    thread.start()
    yield shelf
    shelf.server.shutdown()
    shelf.server.server_close()
    thread.join()


def package(name: str, split: str = "train", registry: str = "pypi") -> Package:
    language = "python" if registry == "pypi" else "javascript"
    return Package(registry, name, "1.0", split, (language,))


REQUEST = CorpusRequest(
    packages=PackageList(
        packages=(
            *(package("alpha"), package("absent"), package("beta")),
            package("gamma", "held-out"),
        ),
        benchmarks=(package("problems"),),
    )
)


def test_a_corpus_is_built_from_what_a_registry_has(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = build_corpus(out, REQUEST, nobody_listens)

    corpus = read_corpus(out)
    assert [(text.package, text.path, text.text) for text in corpus.train] == [
        ("alpha", "alpha/a.py", code("a"))
    ]
    assert [(text.package, text.path) for text in corpus.held_out] == [("gamma", "gamma/shared.py")]
    assert manifest["dropped"] == {"exact duplicate": 1, "overlaps a problem": 1, "vendored": 1}
    assert manifest["splits"]["train"]["python"]["files"] == 1
    absent, refused = manifest["notes"]
    assert absent.startswith("pypi: absent 1.0: ")
    assert "its licence is GPL-3.0-only" in refused
    licences = {one["package"]: one for one in json.loads((out / "licences.json").read_text())}
    assert licences["gamma"]["licence"] == "Apache-2.0 OR MIT"
    assert not licences["beta"]["used"]
    assert not list(out.rglob("*.whl"))
    assert {path.name for path in out.iterdir()} >= {"corpus.json", "files.jsonl", "packages"}
    assert not (out / "fetching").exists()

    # when it is built again, only what was not to be had is asked for again
    shelf.asked.clear()
    assert build_corpus(out, REQUEST, nobody_listens) == manifest
    assert shelf.wheels_fetched() == []

    shown = CliRunner().invoke(app, ["show", str(out)])
    assert shown.exit_code == 0
    assert "held-out" in shown.stdout
    assert "1 overlaps a problem" in shown.stdout


def test_an_interrupted_build_goes_on_where_it_was(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "out"
    listed = (package("alpha"), package("gamma", "held-out"))
    request = CorpusRequest(packages=PackageList(listed, (package("problems"),)))

    def interrupt(progress: Progress) -> None:
        if progress.fraction is not None and progress.fraction >= 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        build_corpus(out, request, interrupt)
    assert sorted(shelf.wheels_fetched()) == ["alpha", "problems"]
    with pytest.raises(CorpusUnusable, match="incomplete"):
        read_corpus(out)

    # a record that a crash or a bad disk has damaged is not trusted
    record = out / "packages" / "pypi-problems.jsonl"
    record.write_bytes(record.read_bytes()[:-5])
    shelf.asked.clear()
    build_corpus(out, request, nobody_listens)
    assert sorted(shelf.wheels_fetched()) == ["gamma", "problems"]
    assert len(read_corpus(out).train) == 1


def test_a_full_disk_leaves_no_corpus_that_looks_whole(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    request = CorpusRequest(packages=PackageList((package("alpha"),), (package("problems"),)))
    build_corpus(out, request, nobody_listens)

    class FullDisk(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def full(path: Path) -> BinaryIO:
        return FullDisk()

    monkeypatch.setattr(manifest_module, "written_whole", full)
    with pytest.raises(NoSpace, match="is full"):
        build_corpus(out, request, nobody_listens)
    with pytest.raises(CorpusUnusable, match="incomplete"):
        read_corpus(out)


def test_a_build_with_nothing_to_be_had_fails(shelf: Shelf, tmp_path: Path) -> None:
    packages = PackageList((package("absent"),), (package("problems"),))
    with pytest.raises(DownloadFailed, match="none of 1 packages could be fetched"):
        build_corpus(tmp_path / "out", CorpusRequest(packages=packages), nobody_listens)


def test_a_build_without_the_problems_fails(shelf: Shelf, tmp_path: Path) -> None:
    packages = PackageList((package("alpha"),), (package("absent"),))
    with pytest.raises(DownloadFailed, match="its problems could get into the corpus"):
        build_corpus(tmp_path / "out", CorpusRequest(packages=packages), nobody_listens)


def test_a_registry_without_its_client_is_a_note(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    listed = (package("left-pad", registry="npm"), package("alpha"))
    packages = PackageList(listed, (package("problems"),))
    manifest = build_corpus(tmp_path / "out", CorpusRequest(packages=packages), nobody_listens)
    assert manifest["notes"] == ["npm: left-pad 1.0: npm is not installed"]


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_packages_come_through_npm(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", shelf.address)
    buffer = io.BytesIO()
    scripts = {"prepack": f"touch {tmp_path}/ran", "preinstall": f"touch {tmp_path}/ran"}
    named = {"name": "left-pad", "version": "1.0.0", "license": "MIT", "scripts": scripts}
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in (("package.json", json.dumps(named)), ("src/index.js", code("pad"))):
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    (shelf.folder / "pad.tgz").write_bytes(buffer.getvalue())
    version = named | {"dist": {"tarball": f"{shelf.address}/pad.tgz"}}
    document = {
        "name": "left-pad",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": version},
    }
    (shelf.folder / "left-pad").write_text(json.dumps(document))

    listed = (Package("npm", "left-pad", "1.0.0", "train", ("javascript",)),)
    packages = PackageList(listed, (package("problems"),))
    build_corpus(tmp_path / "out", CorpusRequest(packages=packages), nobody_listens)
    (text,) = read_corpus(tmp_path / "out").train
    assert (text.path, text.language, text.text) == ("src/index.js", "javascript", code("pad"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (CorpusRequest(languages=("cobol",)), "'cobol' is no language"),
        (CorpusRequest(languages=("sql",)), "no package on the list has sql"),
        (CorpusRequest(limit_packages=0), "must be 1 or more"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_at_once(
    tmp_path: Path, request_: CorpusRequest, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        build_corpus(tmp_path / "out", request_, nobody_listens)
    assert not (tmp_path / "out").exists()
