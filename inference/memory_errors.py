"""Every way in which torch says that there is no memory left, as one error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from midfill.inference.errors import OutOfMemory

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn running out of memory into `OutOfMemory`.

    torch raises its own error on a GPU, and on the CPU a plain RuntimeError that only its text
    tells apart.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory(_ADVICE) from error
    except RuntimeError as error:
        if "not enough memory" not in str(error):
            raise
        raise OutOfMemory(_ADVICE) from error


_ADVICE = "not enough memory; close other programs, or ask for fewer tokens"
