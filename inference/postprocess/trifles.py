"""What is sooner typed than read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import Drop

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Around


def no_trifle(fill: str, around: Around) -> str | Drop:
    """A fill of more than one mark; a single letter or digit may be just what is missing."""
    visible = fill.strip()
    return Drop.TRIFLE if len(visible) < 2 and not visible.isalnum() else fill
