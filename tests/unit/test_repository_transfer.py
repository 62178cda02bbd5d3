"""A transfer that breaks: how it is taken up again, and when it is given up."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import httpx
import pytest

from midfill.inference.downloads.transfer import FEW_BYTES, POOR_TRIES, Transfer
from midfill.inference.errors import DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT = bytes(range(256)) * 20_000


class Server:
    """Breaks every transfer off after so many bytes, and tells what part it sends."""

    def __init__(self, brings: int, content: bytes = CONTENT) -> None:
        self.brings = brings
        self.content = content
        self.asked: list[int] = []
        self.tells: Callable[[int], str] = lambda start: f"bytes {start}-{len(content) - 1}/*"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.asked.append(start)
        told = {"Content-Range": self.tells(start)} if wanted else {}
        return httpx.Response(206 if wanted else 200, headers=told, content=self._body(start))

    def _body(self, start: int) -> Iterator[bytes]:
        yield self.content[start : start + self.brings]
        if start + self.brings < len(self.content):
            raise httpx.ReadError("broken")


def fetch(
    server: Server,
    slept: list[float] | None = None,
    done: int = 0,
    report: Callable[[int], None] = lambda _: None,
) -> bytes:
    target = io.BytesIO(server.content[:done])
    target.seek(done)
    pauses = [] if slept is None else slept
    with httpx.Client(transport=httpx.MockTransport(server)) as client:
        transfer = Transfer(client, "http://hub/f", len(server.content), "the hub", pauses.append)
        transfer.append(target, done, report)
    return target.getvalue()


def test_breaks_that_bring_much_are_gone_on_from_for_ever_after_a_short_pause() -> None:
    server = Server(FEW_BYTES)
    slept: list[float] = []

    assert fetch(server, slept) == CONTENT
    assert server.asked == list(range(0, len(CONTENT), FEW_BYTES))
    assert slept == [0.1] * (len(server.asked) - 1)


def test_breaks_that_bring_little_are_given_up_after_ever_longer_pauses() -> None:
    server = Server(1)
    slept: list[float] = []

    with pytest.raises(DownloadFailed, match=r"^the hub breaks off$"):
        fetch(server, slept)

    assert server.asked == list(range(POOR_TRIES))
    assert max(slept) <= 0.5, "nobody could break off during the pause"
    assert sum(slept) == pytest.approx(0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2 + 5.0 + 5.0 + 5.0)


def test_one_good_try_makes_up_for_the_poor_ones_before_it() -> None:
    server = Server(1)

    def improve_for_a_moment(request: httpx.Request) -> httpx.Response:
        server.brings = FEW_BYTES if len(server.asked) == POOR_TRIES - 1 else 1
        return Server.__call__(server, request)

    transport = httpx.MockTransport(improve_for_a_moment)
    with httpx.Client(transport=transport) as client, pytest.raises(DownloadFailed):
        Transfer(client, "http://hub/f", len(CONTENT), "the hub", lambda _: None).append(
            io.BytesIO(), 0, lambda _: None
        )

    assert len(server.asked) == 2 * POOR_TRIES


def test_a_pause_can_be_broken_off() -> None:
    server = Server(1)
    told: list[int] = []

    def interrupt(done: int) -> None:
        told.append(done)
        if told.count(1) == 2:  # once when it arrived, once in the pause behind it
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, report=interrupt)
    assert server.asked == [0]


@pytest.mark.parametrize(
    "told", ["", "bytes 0-9/*", "bytes 101-5119999/5120000", "items 100-200/*", "bytes */5120000"]
)
def test_another_part_than_was_asked_for_is_not_taken(told: str) -> None:
    server = Server(len(CONTENT))
    server.tells = lambda _: told

    with pytest.raises(DownloadFailed, match=r"^the hub sends another part than it was asked for$"):
        fetch(server, done=100)


def test_a_part_of_a_file_of_another_size_is_not_taken() -> None:
    server = Server(len(CONTENT))
    server.tells = lambda start: f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT) + 1}"

    with pytest.raises(DownloadFailed, match=r"^the hub has another file$"):
        fetch(server, done=100)
