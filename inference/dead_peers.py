"""Noticing that the other side of a connection has gone without a word, as by a cut cable."""

from __future__ import annotations

import socket

IDLE_SECONDS = 20
PROBE_SECONDS = 5
PROBES = 3
"""A silent connection is asked after so long whether it is there, so often, so many times."""


def noticing_dead_peers() -> list[tuple[int, int, int]]:
    """Options of a TCP socket, as ``setsockopt`` takes them; those that the system has."""
    milliseconds = 1000 * (IDLE_SECONDS + PROBES * PROBE_SECONDS)
    tcp = {
        "TCP_KEEPIDLE": IDLE_SECONDS,
        "TCP_KEEPALIVE": IDLE_SECONDS,  # macOS's name of the same
        "TCP_KEEPINTVL": PROBE_SECONDS,
        "TCP_KEEPCNT": PROBES,
        "TCP_USER_TIMEOUT": milliseconds,  # the same for what was sent and is not acknowledged
    }
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] + [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in tcp.items()
        if hasattr(socket, name)
    ]
