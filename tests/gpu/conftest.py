"""What only a GPU can show; without one every test here is skipped, and says why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = Path(__file__).resolve().parents[1] / "unit"
sys.path.insert(0, str(UNIT))  # the builders of tiny models

HERE = Path(__file__).resolve().parent
NEEDED = "needs a CUDA device, and torch sees none; run `pytest tests/gpu` on a machine with a GPU"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            if not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason=NEEDED))


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    """The card, as empty as it was before."""
    device = torch.device("cuda", torch.cuda.current_device())
    torch.cuda.empty_cache()
    yield device
    torch.cuda.set_per_process_memory_fraction(1.0, device)
    torch.cuda.empty_cache()


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """float32 is multiplied as float32, so that results compare with the CPU's."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before
