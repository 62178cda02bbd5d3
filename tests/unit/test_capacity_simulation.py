"""The simulation of engines and developers: what must hold whatever is assumed."""

from __future__ import annotations

from random import Random
from statistics import mean

import pytest
from capacity.developer import Habits, requests
from capacity.engine import EngineKind
from capacity.scenarios import H100_STEP_MS, h100, two_cores
from capacity.simulating import simulate
from capacity_simulation import figures, percentile

QUICK = EngineKind(
    name="quick",
    fills_at_once=4,
    step_ms=(10.0,),
    shared=0.25,
    steps=(10,),
    new_ms=0.0,
    cold_ms=50.0,
    contexts=1000,
)


def test_a_developer_asks_only_while_typing() -> None:
    habits = Habits(typing_share=0.25, asked_share=1.0)
    counts = [len(list(requests(habits, 2000.0, Random(seed)))) for seed in range(10)]
    assert 3.2 < mean(counts) / 2000 / habits.typing_share < 4.2  # keys a second while typing


def test_alone_a_fill_takes_its_steps_and_nothing_waits() -> None:
    lonely = Habits(typing_share=0.05, asked_share=0.05, new_place=0.0)
    outcome = simulate(QUICK, 1, 1, seconds=500, habits=lonely)
    assert outcome.latencies
    assert percentile(outcome.latencies, 0.5) == pytest.approx(0.1)
    assert percentile(outcome.waits, 0.5) == 0.0


def test_every_request_has_one_outcome() -> None:
    outcome = simulate(QUICK, 2, 60, seconds=60, warm_up=0.0)
    settled = len(outcome.latencies) + outcome.superseded + outcome.refused
    assert outcome.asked - 60 <= settled <= outcome.asked


def test_more_engines_make_answers_quicker_and_refuse_less() -> None:
    few, many = (figures(simulate(QUICK, n, 200, seconds=30), 30) for n in (1, 8))
    assert many["latency_ms"]["p95"] < few["latency_ms"]["p95"]
    assert many["refused"] < few["refused"]
    assert many["answered"] > few["answered"]
    assert many["utilisation"] < few["utilisation"] <= 1.0


def test_without_affinity_contexts_are_encoded_again() -> None:
    sticky, scattered = (simulate(QUICK, 4, 20, seconds=60, affinity=a) for a in (True, False))
    assert scattered.cold > 1.5 * sticky.cold


def test_a_seed_decides_everything() -> None:
    first, again, other = (simulate(QUICK, 1, 20, seconds=20, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_sharing_steps_carries_more() -> None:
    shared, alone = (simulate(h100(n), 1, 100, seconds=20) for n in (16, 1))
    assert len(shared.latencies) > 2 * len(alone.latencies)


def test_four_canvases_of_64_slots_take_the_published_step_and_16_take_longer() -> None:
    kind = h100(16)
    assert kind.step_seconds([H100_STEP_MS], 0.0) == pytest.approx(H100_STEP_MS / 1e3)
    # 12 canvases of 64 slots are beyond 256: 7.6 GFLOP a slot at 792 TFLOPS
    assert kind.step_seconds([H100_STEP_MS] * 16, 0.0) == pytest.approx(0.0165, abs=2e-4)


def test_the_cpu_engine_is_the_measured_one() -> None:
    kind = two_cores()
    assert len(kind.step_ms) == len(kind.steps) > 20
    assert kind.cold_ms > max(kind.step_ms)
