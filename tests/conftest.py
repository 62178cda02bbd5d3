"""What all tests share: the real embedded model, and how hard the property tests look."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from midfill.inference.models.embedded.files import EmbeddedFiles

settings.register_profile("test", max_examples=100, deadline=None, derandomize=True)
settings.register_profile(
    "soak", max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("soak" if os.environ.get("MIDFILL_SOAK") else "test")


@pytest.fixture(scope="session")
def embedded_files() -> EmbeddedFiles:
    """The embedded model's files, pulled on the first run on a machine."""
    from midfill.inference.models.embedded.files import ensure_files

    return ensure_files(lambda progress: print(progress.message))
