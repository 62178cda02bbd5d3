"""Connections that cost nothing for long: no client may hold one by being slow."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from midfill.inference.dead_peers import noticing_dead_peers
from midfill.inference.service.error_forms import OWN
from midfill.inference.service.request_body import InvalidRequest

if TYPE_CHECKING:
    import asyncio

    from uvicorn.config import Config
    from uvicorn.server import ServerState

HEAD_SECONDS = 10.0
"""For a request's head, from the connection or from the first byte after an earlier request."""

STALL_SECONDS = 10.0
"""A reader that takes so long over what is buffered for it is given up."""

HEAD_BYTES = 16 * 1024
UNREAD_BYTES = 8 * 2**20
"""So much of a body is let in, in as long as a head may take, after its request was refused."""

CONNECTIONS = 1000
"""From so many on another takes the place of one that waits for a request; where there is
none, as many again are told that the server is full, and no more are kept."""

KEPT_SECONDS = 60
"""An open connection without a request; language servers let go of theirs before that."""

HANDSHAKE_SECONDS = 10.0


class BoundedConnection(H11Protocol):
    """Uvicorn's connection with limits on how long it may be idle, slow or stuck.

    Args:
        config, server_state: as uvicorn's.
        limit: connections of the server that are answered.
    """

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _unread = 0

    def __init__(self, config: Config, server_state: ServerState, limit: int) -> None:
        super().__init__(config, server_state, {})
        self._limit = limit

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) >= self._limit:
            self._make_room()
        if len(self.connections) > 2 * self._limit:
            transport.abort()
            return
        if (connected := transport.get_extra_info("socket")).family in (
            socket.AF_INET,
            socket.AF_INET6,
        ):
            for option in noticing_dead_peers():
                connected.setsockopt(*option)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answered_early():
            self._let_in(len(data))
        elif self._between_requests():
            self._wait_for_head()
        else:
            self._head_is_there()

    def send_400_response(self, msg: str) -> None:
        """To what is no HTTP; uvicorn's own is plain text."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # an answer is under way
            return
        told = OWN.json(InvalidRequest("the request is not HTTP/1.1, or its head is too long"), 400)
        headers = [("Content-Type", "application/json"), ("Connection", "close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=told.encode()),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._give_up_later()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._give_up_later()  # it may never take what is buffered for it

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        if self._stalled:
            self._stalled.cancel()
        super().connection_lost(exc)

    def _between_requests(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _answered_early(self) -> bool:
        """Whether the answer is out though the request's body still comes."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _let_in(self, size: int) -> None:
        # Closed at once, the connection might take the answer along before its client reads it.
        self._unread += size
        self._wait_for_head()
        if self._unread > UNREAD_BYTES:
            self.transport.abort()

    def _make_room(self) -> None:
        """Give up the connection that has waited longest for a request, silent ones first."""
        waiting = [
            (it._timer is None, timer.when(), it)
            for it in self.connections
            if isinstance(it, BoundedConnection) and it is not self
            if (timer := it._timer or it.timeout_keep_alive_task)
        ]
        if waiting:
            *_, longest = min(waiting, key=lambda one: one[:2])
            longest._head_is_there()
            longest._unset_keepalive_if_required()
            longest.transport.abort()

    def _wait_for_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _head_is_there(self) -> None:
        self._unread = 0
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _give_up_later(self) -> None:
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL_SECONDS, self.transport.abort)


def allow_many_connections() -> None:
    """Raise this process's own limit on open files, as far as it may; a connection is one."""
    try:
        import resource
    except ImportError:  # Windows, where there is none
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CONNECTIONS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
