"""One core, or no thread that can be started: fills take longer, and are the same."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from test_doctor_limits import as_somebody_else, linux_alone

if TYPE_CHECKING:
    from midfill.inference.models.embedded.files import EmbeddedFiles

ONE_CORE = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
NO_THREADS = "resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))"

FILL = """
import os, resource
{limit}
import torch
from midfill.kernels.thread_limit import use_no_more_threads_than_start
print(use_no_more_threads_than_start())
from midfill.inference.engine import Engine
from midfill.inference.wire import Final, InfillRequest
from midfill.kernels.native.library import native_library
prefix = "def mean(values):\\n    total = 0\\n    for value in values:\\n        "
request = InfillRequest(prefix=prefix, suffix="\\n    return total / len(values)\\n")
*_, final = Engine().infill(request)
assert isinstance(final, Final)
native = native_library()
print(torch.get_num_threads(), native and native.use_threads(8))
print(repr(final.text))
"""


def filled(limit: str, *, somebody: bool) -> tuple[int, str]:
    """How many threads computed at most, and what was filled in."""
    command = [sys.executable, "-c", FILL.format(limit=limit)]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    said = subprocess.run(
        as_somebody_else(*command) if somebody else command,
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert said.returncode == 0, said.stderr
    threads, _, text = said.stdout.splitlines()[-3:]
    return int(threads), text


@pytest.fixture(scope="module")
def usual(embedded_files: EmbeddedFiles) -> str:
    return filled("", somebody=False)[1]


@linux_alone
@pytest.mark.parametrize(("limit", "somebody"), [(ONE_CORE, False), (NO_THREADS, True)])
def test_a_fill_is_the_same(usual: str, limit: str, somebody: bool) -> None:
    threads, text = filled(limit, somebody=somebody)

    assert len(text) > 2
    assert text == usual
    assert threads == 1
