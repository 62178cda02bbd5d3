"""What torch is like on this machine; run as a module, it prints that as one line of JSON.

In a process of its own, so that whoever asks need not load torch, and hears of it if that fails.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KernelReport:
    """What the operations of `midfill.kernels` use on a device.

    Attributes:
        device: its name.
        used: ``torch`` or ``triton``; empty if `MIDFILL_KERNELS` asks for what cannot be had, so
            that nothing can be computed there.
        reason: why.
    """

    device: str
    used: str
    reason: str


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
        kernels: the CPU's and then theirs.
    """

    version: str
    threads: int
    vectors: str
    bfloat16: bool
    cuda: tuple[str, ...]
    cuda_memory: tuple[int, ...] = ()
    kernels: tuple[KernelReport, ...] = ()

    @classmethod
    def from_json(cls, text: str | bytes) -> TorchReport:
        """What this module printed.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        found: dict[str, Any] = json.loads(text)
        kernels = tuple(KernelReport(**kernel) for kernel in found["kernels"])
        tuples = {name: tuple(found[name]) for name in ("cuda", "cuda_memory")}
        return cls(**found | tuples | {"kernels": kernels})


def torch_report() -> TorchReport:
    """Ask torch. On CUDA devices a small kernel is compiled and tried."""
    import torch

    cuda = range(torch.cuda.device_count()) if torch.cuda.is_available() else range(0)
    names = tuple(torch.cuda.get_device_name(device) for device in cuda)
    devices = [("the CPU", "cpu"), *((name, f"cuda:{at}") for at, name in enumerate(names))]
    return TorchReport(
        version=str(torch.__version__),
        threads=torch.get_num_threads(),
        vectors=torch.backends.cpu.get_cpu_capability(),
        bfloat16=torch.cpu._is_avx512_bf16_supported(),
        cuda=names,
        cuda_memory=tuple(torch.cuda.get_device_properties(device).total_memory for device in cuda),
        kernels=tuple(_kernels_of(name, device) for name, device in devices),
    )


def _kernels_of(name: str, device: str) -> KernelReport:
    import torch

    from midfill.kernels.dispatch import KernelsUnavailable, kernels_used

    try:
        choice = kernels_used(torch.device(device))
    except (KernelsUnavailable, torch.OutOfMemoryError) as error:
        return KernelReport(name, "", str(error).strip().partition("\n")[0])
    return KernelReport(name, choice.implementation.value, choice.reason)


if __name__ == "__main__":
    print(json.dumps(asdict(torch_report())))
