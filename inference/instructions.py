"""What the embedded model computes with on this machine's processor, as people are told it."""

from __future__ import annotations

from midfill.kernels.native.library import (
    INSTRUCTION_SET_VARIABLE,
    built_library,
    native_library,
)

DESCRIPTIONS = {
    "avx512vnni": "int8 with AVX-512 VNNI",
    "avxvnni": "int8 with AVX-VNNI",
    "avx2": "int8 with AVX2",
    "portable": "int8 without special instructions",
}
"""By the library's names of instruction sets."""


def instruction_set() -> str | None:
    """What the native operations use, a key of `DESCRIPTIONS`; nothing where there are none."""
    library = native_library()
    return library.instruction_set if library else None


def without_native_operations() -> str:
    """Why plain torch has to do, and what to do about it."""
    if built_library() is not None:
        return f"the native operations are not used; unset {INSTRUCTION_SET_VARIABLE}"
    return "the native operations were not built: install a C++ compiler, then Midfill again"
