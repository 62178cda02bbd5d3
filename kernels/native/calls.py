"""What the native operations take, mirrored field by field from ``calls.hpp``."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_POINTER = ctypes.c_void_p
_INT = ctypes.c_int32


class Before(IntEnum):
    """What a product's input goes through first."""

    NOTHING = 0
    NORM = 1
    GATE = 2


class LinearCall(ctypes.Structure):
    """One adapted product."""

    _fields_: ClassVar[Sequence[tuple[str, Any]]] = [
        ("x", _POINTER),
        ("norm", _POINTER),
        ("weights", _POINTER),
        ("weight_scales", _POINTER),
        ("weight_sums", _POINTER),
        ("bias", _POINTER),
        ("down", _POINTER),
        ("up", _POINTER),
        ("group_ends", _POINTER),
        ("y", _POINTER),
        ("epsilon", ctypes.c_float),
        ("before", _INT),
        ("rows", _INT),
        ("known", _INT),
        ("width", _INT),
        ("x_stride", _INT),
        ("outputs", _INT),
        ("rank", _INT),
        ("groups", _INT),
        ("add", _INT),
    ]


class AttentionCall(ctypes.Structure):
    """One canvas attention."""

    _fields_: ClassVar[Sequence[tuple[str, Any]]] = [
        ("projected", _POINTER),
        ("cosine", _POINTER),
        ("sine", _POINTER),
        ("visible", _POINTER),
        ("keys", _POINTER),
        ("values", _POINTER),
        ("attended", _POINTER),
        ("slots", _INT),
        ("context", _INT),
        ("capacity", _INT),
        ("query_heads", _INT),
        ("key_heads", _INT),
        ("head_size", _INT),
    ]


class UnmaskCall(ctypes.Structure):
    """The best tokens of one output head."""

    _fields_: ClassVar[Sequence[tuple[str, Any]]] = [
        ("x", _POINTER),
        ("weights", _POINTER),
        ("weight_scales", _POINTER),
        ("weight_sums", _POINTER),
        ("permitted", _POINTER),
        ("tokens", _POINTER),
        ("probabilities", _POINTER),
        ("entropies", _POINTER),
        ("rows", _INT),
        ("restricted", _INT),
        ("width", _INT),
        ("outputs", _INT),
    ]
