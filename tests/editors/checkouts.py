"""Code of others that no package index has: tests get it where a variable names a checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def checkout(variable: str) -> Path:
    """The folder that an environment variable names; skips the test without it."""
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} names no checkout of it, and no package index has one")
    return Path(folder)
