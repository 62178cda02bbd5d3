"""What the tests of the cluster share: one small Ray, or a word that there is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import ray
except ImportError:
    ray = None

os.environ["OMP_NUM_THREADS"] = "1"


class WithoutRay(pytest.Module):
    """A file of tests that cannot run."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip("no Ray here: `make test-cluster` installs it", allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    return None if ray else WithoutRay.from_parent(parent, path=module_path)


@pytest.fixture(scope="session")
def proxy() -> Iterator[int]:
    """The port of Serve's proxy."""
    from local_ray import local_ray

    with local_ray(importable=Path(__file__).parent) as port:
        yield port
