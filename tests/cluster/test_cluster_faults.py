"""Replicas that die, hang, are replaced, are too few: every client gets an answer."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from clusters import Answer, Cluster, cluster, eventually
from counting_engine import HANGS

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = 12


class Load:
    """Clients that ask one question after the other, each about a document of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self.answers: list[Answer] = []
        self._stopped = False
        self._clients = [
            asyncio.create_task(self._ask(cluster, number)) for number in range(CLIENTS)
        ]

    async def stop(self) -> list[Answer]:
        self._stopped = True
        await asyncio.gather(*self._clients)
        return self.answers

    def replicas(self, last: int) -> set[int]:
        """Which gave the last so many answers."""
        return {answer.replica for answer in self.answers[-last:]}

    async def _ask(self, cluster: Cluster, number: int) -> None:
        count = 0
        while not self._stopped:
            prefix = f"client {number:02} asks {count:05}"
            answer = await cluster.ask(prefix, document=f"document {number}")
            assert answer.final.text.endswith((prefix[-8:], "second")), answer.events
            self.answers.append(answer)
            count += 1


async def test_a_replica_killed_under_load_loses_no_answer(tmp_path: Path, proxy: int) -> None:
    async with cluster(tmp_path, proxy, engine={"steps": 5, "step_seconds": 0.02}) as running:
        load = Load(running)
        await eventually(lambda: len(load.replicas(100)) == 2)
        killed = load.answers[-1].replica
        os.kill(killed, signal.SIGKILL)
        before = len(load.answers)
        await eventually(lambda: len(load.answers) >= before + 40)
        await eventually(
            lambda: len(load.replicas(24)) == 2 and killed not in load.replicas(24), within=60
        )
        answers = await load.stop()
    slowest = max(answer.seconds for answer in answers)
    print(f"{len(answers)} answers, the slowest took {slowest:.1f} s")
    assert slowest < 20


async def test_a_replica_that_hangs_is_replaced_and_its_request_answered(
    tmp_path: Path, proxy: int
) -> None:
    async with cluster(tmp_path, proxy, health_timeout=1.0) as running:
        hung = (await running.ask("the first", document="stuck")).replica
        (tmp_path / f"hang-{hung}").touch()
        answer = await running.ask("the second", document="stuck", language=HANGS)
        assert answer.final.text == "after e second"
        assert answer.replica != hung


async def test_what_is_too_much_is_refused_with_a_time_to_come_back(
    tmp_path: Path, proxy: int
) -> None:
    narrow = {"max_ongoing_requests": 1, "target_ongoing_requests": 1, "max_queued_requests": 1}
    engine = {"steps": 2, "step_seconds": 0.5}
    async with cluster(tmp_path, proxy, replicas=1, engine=engine, **narrow) as running:
        answers = await asyncio.gather(*(running.ask(f"client {n}") for n in range(10)))
    refused = [answer for answer in answers if answer.response.status_code == 429]
    answered = [answer for answer in answers if answer.response.status_code == 200]
    assert len(refused) + len(answered) == 10
    assert len(refused) >= 5
    assert answered
    assert {answer.response.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.response.json()["code"] for answer in refused} == {"queue-full"}
    assert all(answer.final.text for answer in answered)


async def test_an_update_under_load_loses_no_answer(tmp_path: Path, proxy: int) -> None:
    engine = {"steps": 5, "step_seconds": 0.02}
    async with cluster(tmp_path, proxy, engine=engine) as running:
        load = Load(running)
        await eventually(lambda: len(load.replicas(100)) == 2)
        await asyncio.to_thread(running.redeploy, name="second", **engine)
        updated = len(load.answers)
        await eventually(lambda: len(load.answers) >= updated + 3 * CLIENTS, within=60)
        answers = await load.stop()
    assert all(answer.final.text == "second" for answer in answers[-CLIENTS:])
    assert any(answer.final.text != "second" for answer in answers)


async def test_load_brings_another_replica(tmp_path: Path, proxy: int) -> None:
    growing = {"replicas": 1, "max_replicas": 2, "upscale_delay": 0.5}
    engine = {"steps": 5, "step_seconds": 0.02}
    async with cluster(tmp_path, proxy, engine=engine, **growing) as running:
        load = Load(running)
        await eventually(lambda: load.answers)
        assert len(load.replicas(100)) == 1
        await eventually(lambda: len(load.replicas(2 * CLIENTS)) == 2, within=90)
        assert await load.stop()
