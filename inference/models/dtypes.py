"""What to compute in."""

from __future__ import annotations

import torch

from midfill.inference.models.options import Weights


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it, else float32, which is slower but never wrong."""
    if device.type == "cuda":
        multiplies = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        multiplies = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if multiplies else torch.float32


def dtype_of(weights: Weights, device: torch.device) -> torch.dtype:
    """The type to compute in: the one asked for, else the fastest; so for quantised weights too."""
    match weights:
        case Weights.FLOAT32:
            return torch.float32
        case Weights.BFLOAT16:
            return torch.bfloat16
        case _:
            return fastest_dtype(device)
