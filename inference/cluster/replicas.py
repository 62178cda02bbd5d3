"""The engines of a cluster, as a door asks them; errors of Ray's become ours."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ray.exceptions import ObjectLostError, RayActorError, TaskCancelledError, WorkerCrashedError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    ReplicaUnavailableError,
)

from midfill.inference.cluster.lost import ReplicaLost
from midfill.inference.errors import QueueFull

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from ray.serve.handle import DeploymentHandle
    from starlette.types import Message

    from midfill.inference.cluster.asked import Asked

GONE = (
    RayActorError,
    WorkerCrashedError,
    ObjectLostError,
    TaskCancelledError,
    ReplicaUnavailableError,
    DeploymentUnavailableError,
)
"""What is raised when a replica dies, hangs until it is killed, or is told to go."""


WENT_AWAY = "the engine went away: ask again in a moment"


class Replicas(Protocol):
    """The engines behind a door."""

    def answer(self, asked: Asked, key: str) -> AsyncGenerator[Message]:
        """One replica's answer; requests with equal keys go to the same one where that can be.

        Raises:
            QueueFull: too many requests wait for a replica.
            ReplicaLost: it went away before the end.
        """

    async def figures(self) -> list[bytes]:
        """What ``/metrics`` tells of each replica."""

    async def forget(self, caller: str) -> None:
        """Have all of them let go of what they keep of a caller's text."""


class RayReplicas:
    """`Replicas` over a Serve handle."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle

    async def answer(self, asked: Asked, key: str) -> AsyncGenerator[Message]:
        with _ours():
            response = self._handle.options(
                method_name="answer", stream=True, session_id=key
            ).remote(asked)
            try:
                async for message in response:
                    yield message
            finally:
                response.cancel()

    async def figures(self) -> list[bytes]:
        with _ours():
            return list(await self._handle.broadcast("figures").results_async())

    async def forget(self, caller: str) -> None:
        with _ours():
            await self._handle.broadcast("forget", caller).results_async()


@contextmanager
def _ours() -> Iterator[None]:
    try:
        yield
    except BackPressureError as error:
        full = QueueFull("the engines have too many requests waiting: ask again in a moment")
        full.retry_after = error.retry_after_s
        raise full from error
    except GONE as error:
        raise ReplicaLost(WENT_AWAY) from error
    except asyncio.CancelledError as error:
        # Serve's form of a call that was cancelled where it ran, as when its replica is stopped.
        if (task := asyncio.current_task()) and not task.cancelling():
            raise ReplicaLost(WENT_AWAY) from error
        raise
