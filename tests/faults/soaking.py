"""How often a fault is repeated: a little in every run, and often in a long one."""

from __future__ import annotations

import os

SOAKING = bool(os.environ.get("MIDFILL_SOAK"))


def times(usually: int, soaking: int) -> int:
    """How often, in this run."""
    return soaking if SOAKING else usually
