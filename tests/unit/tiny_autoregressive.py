"""A tiny random Qwen2 that writes token after token."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tiny_absorbing import open_dcoder

if TYPE_CHECKING:
    from pathlib import Path

    from tiny_absorbing import Tiny

FIM_PREFIX, FIM_SUFFIX = 294, 295


def autoregressive(*, fim: bool = True) -> Tiny:
    """With markers for filling in the middle, or without any."""
    tiny = open_dcoder()
    config = {name: value for name, value in tiny.config.items() if name != "auto_map"}
    markers = {**tiny.markers, "<|fim_prefix|>": FIM_PREFIX, "<|fim_suffix|>": FIM_SUFFIX}
    if not fim:
        markers = {name: token for name, token in markers.items() if "fim" not in name}
    return replace(tiny, config=config, markers=markers)


def write_autoregressive(folder: Path, *, fim: bool = True) -> Path:
    return autoregressive(fim=fim).write(folder)
