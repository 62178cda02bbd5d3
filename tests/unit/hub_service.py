"""A model hub on the loopback interface: listings, small files, and a store for the big ones.

It answers as the real one does (redirects to another origin for big files, ranges, error codes in
headers), and misbehaves when told to.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BIG = (".safetensors", ".gguf", ".bin")


@dataclass
class Repository:
    """What one repository holds.

    Attributes:
        commits: the files of each commit.
        branches: which commit each name stands for.
        card: the fields of its card.
        gated: whether the hub wants to know who is asking before it gives files away.
    """

    commits: dict[str, dict[str, bytes]]
    branches: dict[str, str]
    card: dict[str, object] = field(default_factory=lambda: {"license": "apache-2.0"})
    gated: bool = False


@dataclass
class HubService:
    """A hub and its store.

    Attributes:
        repositories: by hub id.
        break_after: bytes after which the next transfer of a big file breaks off, once.
        bytes_a_second: how slowly to send big files, if not at once.
        status: answers everything with this instead.
        swapped: other content than was listed, by file name.
        sign_in: answers everything with a page of HTML.
        retold: makes another answer of a listing.
        store_url: where big files are redirected to.
        requests: (method, path, Range header) so far.
        agents: the User-Agent headers.
        tokens: the Authorization headers that the hub and its store were sent.
    """

    repositories: dict[str, Repository]
    break_after: int | None = None
    bytes_a_second: int | None = None
    status: int | None = None
    swapped: dict[str, bytes] = field(default_factory=dict)
    sign_in: bool = False
    retold: Callable[[dict[str, Any]], object] | None = None
    agents: set[str | None] = field(default_factory=set)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    tokens: dict[str, set[str | None]] = field(
        default_factory=lambda: {"hub": set(), "store": set()}
    )
    url: str = ""
    store_url: str = ""

    def transfers(self, name: str) -> list[str | None]:
        """The Range headers that a file was asked of its place with, redirects apart."""
        return [
            wanted
            for _, path, wanted in self.requests
            if path.endswith(f"/{name}") and (path.startswith("/store/") or not name.endswith(BIG))
        ]


@contextmanager
def running(service: HubService) -> Iterator[HubService]:
    """Have the hub and its store listen for as long as the context lasts."""
    handlers = [type(kind.__name__, (kind,), {"service": service}) for kind in (_Hub, _Store)]
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in handlers]
    for server in servers:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    service.url, service.store_url = (
        f"http://127.0.0.1:{server.server_address[1]}" for server in servers
    )
    try:
        yield service
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def listed(name: str, content: bytes) -> dict[str, Any]:
    """A file as the hub's listing has it."""
    entry: dict[str, Any] = {"rfilename": name, "size": len(content)}
    if name.endswith(BIG):
        sha256 = hashlib.sha256(content).hexdigest()
        entry["blobId"] = hashlib.sha1(sha256.encode()).hexdigest()
        entry["lfs"] = {"size": len(content), "sha256": sha256, "pointerSize": 134}
    else:
        entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return entry


class _Handler(BaseHTTPRequestHandler):
    service: HubService
    place = ""

    def do_GET(self) -> None:
        service, quoted = self.service, urlsplit(self.path).path
        path, parts = unquote(quoted), [unquote(part) for part in quoted.split("/")]
        service.requests.append((self.command, path, self.headers.get("Range")))
        service.agents.add(self.headers.get("User-Agent"))
        service.tokens[self.place].add(self.headers.get("Authorization"))
        if service.status is not None:
            self._refuse(service.status, "")
        elif service.sign_in:
            self._send(b"<html>Welcome to the hotel!</html>", "text/html")
        else:
            self._answer(parts[1:])

    def _answer(self, parts: list[str]) -> None:
        raise NotImplementedError

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, kind: str = "application/octet-stream") -> None:
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        if wanted and start >= len(content):
            self._refuse(416, "")
            return
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        with suppress(OSError):
            self._write(content[start:])

    def _write(self, body: bytes) -> None:
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Hub(_Handler):
    place = "hub"

    def _answer(self, parts: list[str]) -> None:
        listing = parts[:2] == ["api", "models"]
        owner, name, _, revision, *rest = parts[2:] if listing else parts
        repository = self.service.repositories.get(f"{owner}/{name}")
        if repository is None:
            self._refuse(401 if listing else 404, "RepoNotFound" if not listing else "")
            return
        commit = repository.branches.get(revision, revision)
        files = repository.commits.get(commit)
        if files is None:
            self._refuse(404, "RevisionNotFound")
        elif listing:
            answer: dict[str, Any] = {
                "id": f"{owner}/{name}",
                "sha": commit,
                "gated": "manual" if repository.gated else False,
                "cardData": repository.card,
                "tags": [],
                "siblings": [listed(*file) for file in files.items()],
            }
            told = self.service.retold(answer) if self.service.retold else answer
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self._send(body, "application/json")
        elif repository.gated and self.headers.get("Authorization") != "Bearer let-me-in":
            self._refuse(401, "GatedRepo")
        else:
            self._give(f"{owner}/{name}", commit, rest[0], files)

    def _give(self, repository: str, commit: str, file: str, files: dict[str, bytes]) -> None:
        if file not in files:
            self._refuse(404, "EntryNotFound")
        elif file.endswith(BIG):
            self.send_response(302)
            place = f"{self.service.store_url}/store/{repository}/{commit}/{file}"
            self.send_header("Location", place)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send(self.service.swapped.get(file, files[file]))


class _Store(_Handler):
    place = "store"

    def _answer(self, parts: list[str]) -> None:
        owner, name, commit, file = parts[1:]
        files = self.service.repositories[f"{owner}/{name}"].commits[commit]
        self._send(self.service.swapped.get(file, files[file]))

    def _write(self, body: bytes) -> None:
        service = self.service
        if service.break_after is not None:
            body, service.break_after = body[: service.break_after], None
            self.close_connection = True
        step = max(1, (service.bytes_a_second or 20 * len(body)) // 20)
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            if service.bytes_a_second:
                time.sleep(0.05)
