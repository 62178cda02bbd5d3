"""Talking HTTP with a vLLM server; whoever waits may call it off at any moment.

Requests run on an event loop in a thread of its own: cancelling one there closes its connection
at once, also while the server is silent, and a closed connection is what has vLLM stop a request.
"""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import wait
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import httpx

from midfill.inference.errors import Cancelled
from midfill.inference.version import version
from midfill.inference.vllm import faults
from midfill.inference.vllm.answers import Answer, Completion, read
from midfill.inference.vllm.backoff import AGAIN, ATTEMPTS, wait_before
from midfill.inference.vllm.event_lines import DataLines, LineTooLong
from midfill.inference.vllm.network import proxy_for, route_to
from midfill.inference.vllm.patience import OutOfTime

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

    from midfill.inference.vllm.access import ApiKey
    from midfill.inference.vllm.patience import Patience

    Body = Mapping[str, object]

POLL = 0.03
"""Seconds between two looks at whether the answer is still wanted."""

CONNECT_SECONDS = 3.0
"""A server to which no connection comes about by then is taken for out of reach."""

CONNECTIONS = 16
"""At the same time, at most."""

KEEP_ALIVE = 4.0
"""Seconds for which an idle connection is kept; vLLM closes its end after five."""

NOT_TAKEN = (400, 422)
"""How a server refuses arguments that it does not know, or not such values of them."""

LONGEST_ANSWER = 16 * 2**20
"""Bytes; the ids of a whole context have less than two million."""

Kind = TypeVar("Kind", bound=Answer)
Result = TypeVar("Result")


class _Missing:
    """Stands for what the server does not have, or does not take."""


class Client:
    """One server.

    Attributes:
        address: its base address.
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
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="vllm-client", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Close every connection."""
        if self._loop.is_closed():
            return
        wait([asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop)], CONNECT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CONNECT_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def get(self, kind: type[Kind], path: str, patience: Patience) -> Kind | None:
        """An answer to a GET request; nothing where the server has no such path.

        Raises:
            MidfillError: the server does not answer as vLLM does.
            OutOfTime: nor any other way in time.
        """
        document = self._wait(self._document("GET", path, None, patience, without=(404,)), patience)
        return None if isinstance(document, _Missing) else self._read(kind, path, document)

    def is_alive(self, patience: Patience) -> None:
        """Ask ``/health``, whose answer is empty.

        Raises:
            MidfillError: the server is not well.
            OutOfTime: it does not answer in time.
        """
        self._wait(
            self._document("GET", "/health", None, patience, without=(404,), kind=""), patience
        )

    def post(self, kind: type[Kind], path: str, body: Body, patience: Patience) -> Kind:
        """The answer to a POST request; raises as `get` does."""
        return self.post_all(kind, path, [body], patience)[0]

    def offer(self, kind: type[Kind], path: str, body: Body, patience: Patience) -> Kind | None:
        """The answer to a request that not every server takes; nothing where it is refused.

        Raises as `get` does.
        """
        document = self._wait(
            self._document("POST", path, body, patience, without=NOT_TAKEN), patience
        )
        return None if isinstance(document, _Missing) else self._read(kind, path, document)

    def post_all(
        self, kind: type[Kind], path: str, bodies: Sequence[Body], patience: Patience
    ) -> list[Kind]:
        """The answers to requests that are made at the same time; raises as `get` does."""
        if not bodies:
            return []

        async def all_of_them() -> list[bytes | _Missing]:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._document("POST", path, body, patience))
                    for body in bodies
                ]
            return [task.result() for task in tasks]

        async def first_failure_alone() -> list[bytes | _Missing]:
            try:
                return await all_of_them()
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None

        documents = self._wait(first_failure_alone(), patience)
        return [
            self._read(kind, path, document)
            for document in documents
            if not isinstance(document, _Missing)
        ]

    def stream(
        self, path: str, body: Body, patience: Patience
    ) -> Generator[Completion, None, None]:
        """The chunks of a completion, as they come. Leaving the iterator closes the connection.

        Raises:
            MidfillError: the server does not answer as vLLM does, or stops half way.
            OutOfTime: the deadline passed before the last chunk.
        """
        arrived: SimpleQueue[Completion | BaseException | None] = SimpleQueue()

        async def pump() -> None:
            try:
                await self._pump(path, body, patience, arrived)
                arrived.put(None)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                arrived.put(error)

        pumping = self._start(pump())
        try:
            while True:
                self._still_wanted(patience)
                try:
                    item = arrived.get(timeout=POLL)
                except Empty:
                    continue
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            pumping.cancel()

    def _wait(self, work: Coroutine[Any, Any, Result], patience: Patience) -> Result:
        future = self._start(work)
        try:
            while not wait([future], POLL).done:
                self._still_wanted(patience)
            return future.result()
        finally:
            future.cancel()

    def _start(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _still_wanted(self, patience: Patience) -> None:
        if patience.cancelled():
            raise Cancelled("the request was cancelled")
        if not patience.left:
            raise OutOfTime

    def _read(self, kind: type[Kind], path: str, document: bytes) -> Kind:
        answer = read(kind, document)
        if answer is None:
            raise faults.garbled(self.host, path, "with JSON of another form than vLLM's")
        return answer

    # On the event loop from here on.

    async def _document(
        self,
        method: str,
        path: str,
        body: Body | None,
        patience: Patience,
        *,
        without: Sequence[int] = (),
        kind: str = "application/json",
    ) -> bytes | _Missing:
        answer = await self._send(method, path, body, patience)
        try:
            if answer.status_code in without:
                return _Missing()
            self._check(answer, path, kind)
            document = bytearray()
            async for piece in answer.aiter_raw():
                document += piece
                if len(document) > LONGEST_ANSWER:
                    raise faults.garbled(self.host, path, "with more than any answer has")
            return bytes(document)
        except httpx.TransportError as error:
            raise faults.broke_off(self.host) from error
        finally:
            await answer.aclose()

    async def _pump(
        self,
        path: str,
        body: Body,
        patience: Patience,
        arrived: SimpleQueue[Completion | BaseException | None],
    ) -> None:
        """Put the chunks of a stream into the queue until the server says that it is done."""
        answer = await self._send("POST", path, body, patience)
        lines, size = DataLines(), 0
        try:
            self._check(answer, path, "text/event-stream")
            async for piece in answer.aiter_raw():
                size += len(piece)
                for data in lines.feed(piece):
                    if data == b"[DONE]":
                        return
                    arrived.put(self._chunk(path, data))
                if size > LONGEST_ANSWER:
                    raise faults.garbled(self.host, path, "with more than any answer has")
        except LineTooLong:
            raise faults.garbled(self.host, path, "with a line that never ends") from None
        except httpx.TransportError as error:
            raise faults.broke_off(self.host) from error
        finally:
            await answer.aclose()
        raise faults.broke_off(self.host)

    def _chunk(self, path: str, data: bytes) -> Completion:
        chunk = read(Completion, data)
        if chunk is not None:
            return chunk
        if _is_error(data):
            raise faults.broke_off(self.host)
        raise faults.garbled(self.host, path, "with chunks of another form than vLLM's")

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

    async def _shut_down(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._http.aclose()


def _is_error(data: bytes) -> bool:
    """Whether this is how vLLM says in a stream that it failed."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and "error" in said
