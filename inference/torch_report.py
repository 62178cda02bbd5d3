"""What torch is like on this machine; run as a module, it prints that as one line of JSON.

In a process of its own, so that whoever asks need not load torch, and hears of it if that fails.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class TorchReport:
    """One installation of torch on one machine.

    Attributes:
        version: with its local part, such as ``+cpu``.
        threads: that one operation is spread over.
        vectors: the widest instructions that torch's own kernels use, such as ``AVX512``.
        bfloat16: whether the processor multiplies bfloat16 itself.
        cuda: names of the CUDA devices.
        cuda_memory: bytes that each of them has.
    """

    version: str
    threads: int
    vectors: str
    bfloat16: bool
    cuda: tuple[str, ...]
    cuda_memory: tuple[int, ...] = ()


def torch_report() -> TorchReport:
    """Ask torch."""
    import torch

    cuda = range(torch.cuda.device_count()) if torch.cuda.is_available() else range(0)
    return TorchReport(
        version=str(torch.__version__),
        threads=torch.get_num_threads(),
        vectors=torch.backends.cpu.get_cpu_capability(),
        bfloat16=torch.cpu._is_avx512_bf16_supported(),
        cuda=tuple(torch.cuda.get_device_name(device) for device in cuda),
        cuda_memory=tuple(torch.cuda.get_device_properties(device).total_memory for device in cuda),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(torch_report())))
