"""The version that the two processes compare when they meet."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version as installed_version


@cache
def version() -> str:
    return installed_version("midfill")
