"""What all tests share: the real embedded model, and how hard the property tests look."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from midfill.inference.models.embedded.files import EmbeddedFiles

LONGEST_FIRST = (
    "test_language_server",
    "test_any_session",
    "test_exclusion",
    "test_engine_service",
    "test_embedded_model",
    "test_engine",
    "test_command_line",
    "test_engine_link",
    "test_kernels_triton",
    "test_bench_replay_command",
    "test_lifetime",
    "test_training_run",
    "test_training_keeps",
)
"""Files that take long, so that no worker is left alone with one of them at the end."""

settings.register_profile("test", max_examples=100, deadline=None, derandomize=True)
settings.register_profile(
    "soak", max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("soak" if os.environ.get("MIDFILL_SOAK") else "test")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of `LONGEST_FIRST` come first; within a file, and among others, all stays in order."""
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture(scope="session")
def embedded_files() -> EmbeddedFiles:
    """The embedded model's files, pulled on the first run on a machine."""
    from midfill.inference.models.embedded.files import ensure_files

    return ensure_files(lambda progress: print(progress.message))
