"""How many threads one operation is spread over."""

from __future__ import annotations

import torch

from midfill.kernels.native.library import native_library


def use_threads(threads: int) -> None:
    """Hold torch's operations and the native ones to so many threads, at least one."""
    torch.set_num_threads(max(1, threads))
    if (native := native_library()) is not None:
        native.use_threads(threads)
