"""What Midfill asks a vLLM server, for whoever waits; they may call it off at any moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from midfill.inference.vllm import faults
from midfill.inference.vllm.answers import Answer, read
from midfill.inference.vllm.exchange import Exchange
from midfill.inference.vllm.waiting import LoopThread

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from midfill.inference.vllm.access import ApiKey
    from midfill.inference.vllm.answers import Completion
    from midfill.inference.vllm.exchange import Body
    from midfill.inference.vllm.patience import Patience

NOT_TAKEN = (400, 422)
"""How a server refuses arguments that it does not know, or not such values of them."""

NOT_THERE = (404,)

Kind = TypeVar("Kind", bound=Answer)


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
        self._exchange = Exchange(address, key)
        self.host = self._exchange.host
        self._thread = LoopThread("vllm-client")

    def close(self) -> None:
        """Close every connection."""
        self._thread.close(self._exchange.aclose())

    def get(self, kind: type[Kind], path: str, patience: Patience) -> Kind | None:
        """An answer to a GET request; nothing where the server has no such path.

        Raises:
            MidfillError: the server does not answer as vLLM does.
            OutOfTime: nor any other way in time.
        """
        asking = self._exchange.document("GET", path, None, patience, without=NOT_THERE)
        return self._read_any(kind, path, self._thread.outcome(asking, patience))

    def is_alive(self, patience: Patience) -> None:
        """Ask ``/health``, whose answer is empty.

        Raises:
            MidfillError: the server is not well.
            OutOfTime: it does not answer in time.
        """
        asking = self._exchange.document(
            "GET", "/health", None, patience, without=NOT_THERE, kind=""
        )
        self._thread.outcome(asking, patience)

    def post(self, kind: type[Kind], path: str, body: Body, patience: Patience) -> Kind:
        """The answer to a POST request; raises as `get` does."""
        return self.post_all(kind, path, [body], patience)[0]

    def offer(self, kind: type[Kind], path: str, body: Body, patience: Patience) -> Kind | None:
        """The answer to a request that not every server takes; nothing where it is refused.

        Raises as `get` does.
        """
        asking = self._exchange.document("POST", path, body, patience, without=NOT_TAKEN)
        return self._read_any(kind, path, self._thread.outcome(asking, patience))

    def post_all(
        self, kind: type[Kind], path: str, bodies: Sequence[Body], patience: Patience
    ) -> list[Kind]:
        """The answers to requests that are made at the same time; raises as `get` does."""
        if not bodies:
            return []
        documents = self._thread.outcome(self._posted(path, bodies, patience), patience)
        return [self._read(kind, path, document) for document in documents if document is not None]

    def stream(
        self, path: str, body: Body, patience: Patience
    ) -> Generator[Completion, None, None]:
        """The chunks of a completion, as they come. Leaving the iterator closes the connection.

        Raises:
            MidfillError: the server does not answer as vLLM does, or stops half way.
            OutOfTime: the deadline passed before the last chunk.
        """
        return self._thread.each(self._exchange.chunks(path, body, patience), patience)

    async def _posted(
        self, path: str, bodies: Sequence[Body], patience: Patience
    ) -> list[bytes | None]:
        """All documents, or the first failure alone."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._exchange.document("POST", path, body, patience))
                    for body in bodies
                ]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    def _read_any(self, kind: type[Kind], path: str, document: bytes | None) -> Kind | None:
        return None if document is None else self._read(kind, path, document)

    def _read(self, kind: type[Kind], path: str, document: bytes) -> Kind:
        answer = read(kind, document)
        if answer is None:
            raise faults.garbled(self.host, path, "with JSON of another form than vLLM's")
        return answer
