"""Big diffusion models that are known to fill holes. Never imports torch.

Figures are those of the published configurations; what a repository holds, and under which licence,
is asked of the hub when it is pulled.
"""

from __future__ import annotations

from dataclasses import dataclass

from midfill.inference.models.machine_memory import WeightBytes, weight_bytes


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One repository of the hub.

    Attributes:
        repository: its hub id, which is the model's name.
        family: what it is built as.
        parameters: all of them.
        unquantised: those that stay in bfloat16 whatever the others are held as: embedding and
            head.
        licence: as its publisher gave it; the card decides.
        fills: how it fills a hole.
    """

    repository: str
    family: str
    parameters: int
    unquantised: int
    licence: str
    fills: str

    @property
    def bytes(self) -> WeightBytes:
        """About how much memory its weights take."""
        return weight_bytes(self.parameters, self.unquantised)


_FIXED = "length searched"
_VARIABLE = "variable length"


def _dream(repository: str, licence: str = "Apache-2.0", fills: str = _FIXED) -> KnownModel:
    family = "DiffuCoder" if repository.startswith("apple/") else "Dream"
    return KnownModel(repository, family, 7_616_000_000, 1_090_000_000, licence, fills)


def _llada(repository: str) -> KnownModel:
    return KnownModel(repository, "LLaDA", 8_015_000_000, 1_036_000_000, "MIT", _FIXED)


def _coda(repository: str) -> KnownModel:
    return KnownModel(repository, "CoDA", 1_720_000_000, 311_000_000, "CC-BY-NC-4.0", _FIXED)


KNOWN = (
    KnownModel(
        "google/diffusiongemma-26B-A4B-it",
        "DiffusionGemma",
        25_230_000_000,
        750_000_000,
        "Apache-2.0",
        "pinned canvas or prompt",
    ),
    _dream("Dream-org/DreamOn-v0-7B", fills=_VARIABLE),
    _dream("Dream-org/Dream-Coder-v0-Instruct-7B"),
    _dream("Dream-org/Dream-Coder-v0-Base-7B"),
    _dream("Dream-org/Dream-v0-Instruct-7B"),
    _dream("Dream-org/Dream-v0-Base-7B"),
    _dream("apple/DiffuCoder-7B-cpGRPO", "Apple's own"),
    _dream("apple/DiffuCoder-7B-Instruct", "Apple's own"),
    _dream("apple/DiffuCoder-7B-Base", "Apple's own"),
    _llada("GSAI-ML/LLaDA-1.5"),
    _llada("GSAI-ML/LLaDA-8B-Instruct"),
    _llada("GSAI-ML/LLaDA-8B-Base"),
    _coda("Salesforce/CoDA-v0-Instruct"),
    _coda("Salesforce/CoDA-v0-Base"),
    KnownModel(
        "fredzzp/open-dcoder-0.5B", "Open-dCoder", 494_000_000, 136_000_000, "Apache-2.0", _FIXED
    ),
    KnownModel(
        "dllm-hub/Qwen3-0.6B-diffusion-mdlm-v0.1",
        "Tiny-A2D",
        752_000_000,
        311_000_000,
        "Apache-2.0",
        _FIXED,
    ),
    KnownModel(
        "dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-mdlm-v0.1",
        "Tiny-A2D",
        630_000_000,
        272_000_000,
        "Apache-2.0",
        _FIXED,
    ),
)


def known_model(repository: str) -> KnownModel | None:
    """The known model of a repository, or None."""
    return next((model for model in KNOWN if model.repository == repository), None)
