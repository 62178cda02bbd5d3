"""How many threads to compute with, by how busy the machine is with other things."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.spare_cores import SpareCores, spare_cores


@pytest.mark.parametrize(
    ("machine", "process", "cores"),
    [
        (0.0, 0.0, 2),
        (2.0, 2.0, 2),
        (1.0, 0.0, 1),
        (0.6, 0.0, 2),
        (0.8, 0.0, 1),
        (2.0, 1.0, 1),
        (2.0, 0.0, 1),
    ],
)
def test_what_others_keep_busy_is_left_to_them(machine: float, process: float, cores: int) -> None:
    assert spare_cores(2, 1.0, machine, process) == cores


@given(
    cores=st.integers(1, 64),
    seconds=st.floats(0.01, 2.0),
    machine=st.floats(0, 200),
    process=st.floats(0, 200),
)
def test_there_is_always_at_least_one_core_and_never_more_than_there_are(
    cores: int, seconds: float, machine: float, process: float
) -> None:
    assert 1 <= spare_cores(cores, seconds, machine, process) <= cores


def test_a_busy_neighbour_is_noticed() -> None:
    watched = SpareCores(2)
    spin = "import time\nend = time.monotonic() + 8\nwhile time.monotonic() < end: pass"
    neighbours = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(4)]
    try:
        time.sleep(1.0)
        watched.count()
        time.sleep(1.0)
        counted = watched.count()
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()
    assert counted == 1
