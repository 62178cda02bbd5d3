"""One request to a vLLM server and the answer to it, on an event loop."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from midfill.inference.version import version
from midfill.inference.vllm import faults
from midfill.inference.vllm.answers import Completion, read
from midfill.inference.vllm.backoff import AGAIN, ATTEMPTS, wait_before
from midfill.inference.vllm.event_lines import DataLines, LineTooLong
from midfill.inference.vllm.network import proxy_for, route_to

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from midfill.inference.vllm.access import ApiKey
    from midfill.inference.vllm.patience import Patience

    Body = Mapping[str, object]

CONNECT_SECONDS = 3.0
"""A server to which no connection comes about by then is taken for out of reach."""

CONNECTIONS = 16
"""At the same time, at most."""

KEEP_ALIVE = 4.0
"""Seconds for which an idle connection is kept; vLLM closes its end after five."""

LONGEST_ANSWER = 16 * 2**20
"""Bytes; the ids of a whole context have less than two million."""

JSON = "application/json"


class Exchange:
    """Asks one server, and takes no answer for more than it is.

    A cancelled call closes its connection at once, which is what has vLLM stop a request.

    Attributes:
        address: the server's base address.
        host: what people call it: name and port.
    """

    def __init__(self, address: str, key: ApiKey | None) -> None:
        """Connects to nothing yet.

        Raises:
            UsageError: a variable of the environment names no proxy, or no certificates.
        """
        self.address = address
        self.host = urlsplit(address).netloc
        self._proxy = proxy_for(address)
        route = route_to(address, self._proxy)
        self._http = httpx.AsyncClient(
            headers={
                "Accept-Encoding": "identity",
                "User-Agent": f"midfill/{version()}",
                **(key.headers if key else {}),
            },
            # how long to read is up to whoever waits
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEP_ALIVE),
            follow_redirects=False,  # the key is for this server alone
            # what the environment says is in the route
            trust_env=False,
            proxy=route.proxy,
            verify=route.authorities,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def document(
        self,
        method: str,
        path: str,
        body: Body | None,
        patience: Patience,
        *,
        without: Sequence[int] = (),
        kind: str = JSON,
    ) -> bytes | None:
        """An answer in one piece; None where its status is one of those of ``without``.

        Args:
            method, path, body: of the request.
            patience: until when it may be made again.
            without: statuses with which a server says that it has no such thing.
            kind: the media type that the answer has to have; any, if empty.

        Raises:
            MidfillError: the server does not answer as vLLM does.
        """
        async with self._answer(method, path, body, patience) as answer:
            if answer.status_code in without:
                return None
            self._check(answer, path, kind)
            document = bytearray()
            async for piece in answer.aiter_raw():
                document += piece
                if len(document) > LONGEST_ANSWER:
                    raise faults.garbled(self.host, path, "with more than any answer has")
            return bytes(document)

    async def chunks(self, path: str, body: Body, patience: Patience) -> AsyncGenerator[Completion]:
        """The chunks of a stream, until the server says that it is done.

        Raises:
            MidfillError: the server does not answer as vLLM does, or stops half way.
        """
        lines, size = DataLines(), 0
        async with self._answer("POST", path, body, patience) as answer:
            self._check(answer, path, "text/event-stream")
            async for piece in answer.aiter_raw():
                size += len(piece)
                try:
                    complete = lines.feed(piece)
                except LineTooLong:
                    raise faults.garbled(self.host, path, "with a line that never ends") from None
                for data in complete:
                    if data == b"[DONE]":
                        return
                    yield self._chunk(path, data)
                if size > LONGEST_ANSWER:
                    raise faults.garbled(self.host, path, "with more than any answer has")
        raise faults.broke_off(self.host)

    def _chunk(self, path: str, data: bytes) -> Completion:
        chunk = read(Completion, data)
        if chunk is not None:
            return chunk
        if _is_error(data):
            raise faults.broke_off(self.host)
        raise faults.garbled(self.host, path, "with chunks of another form than vLLM's")

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: Body | None, patience: Patience
    ) -> AsyncGenerator[httpx.Response]:
        """An answer whose body is still to be read."""
        answer = await self._send(method, path, body, patience)
        try:
            yield answer
        except httpx.TransportError as error:
            raise faults.broke_off(self.host) from error
        finally:
            await answer.aclose()

    async def _send(
        self, method: str, path: str, body: Body | None, patience: Patience
    ) -> httpx.Response:
        """The head of an answer.

        A request is made again only where nothing of an answer was begun: where no connection came
        about, or the server said that it has not begun. It is given up where the deadline is nearer
        than the next attempt.
        """
        try:
            request = self._http.build_request(method, self.address + path, json=body)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise faults.out_of_reach(self.host, error, None) from error
        for attempt in range(ATTEMPTS):
            told = None
            try:
                answer = await self._http.send(request, stream=True)
                if answer.status_code not in AGAIN:
                    return answer
                told = answer.headers.get("Retry-After")
                await answer.aclose()
                fault = faults.refusal(self.host, path, answer.status_code)
            except (
                httpx.ConnectError,
                httpx.ConnectTimeout,
                httpx.ProxyError,
                UnicodeError,
            ) as error:
                fault = faults.out_of_reach(self.host, error, self._proxy)
            except httpx.TransportError as error:
                raise faults.broke_off(self.host) from error
            pause = wait_before(attempt, told)
            if attempt + 1 == ATTEMPTS or monotonic() + pause >= patience.deadline:
                break
            await asyncio.sleep(pause)
        raise fault

    def _check(self, answer: httpx.Response, path: str, kind: str) -> None:
        if answer.status_code != 200:
            raise faults.refusal(self.host, path, answer.status_code)
        given = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind and given != kind:
            raise faults.garbled(self.host, path, f"with something else than {kind}")


def _is_error(data: bytes) -> bool:
    """Whether this is how vLLM says in a stream that it failed."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and "error" in said
