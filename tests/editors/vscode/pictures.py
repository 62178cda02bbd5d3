"""The pictures that the documentation shows, taken where tests pass by anyway."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vscode.packing import ROOT

if TYPE_CHECKING:
    from vscode.window import Window

PICTURES = ROOT / "docs" if os.environ.get("MIDFILL_SCREENSHOTS") else None


def take_picture(window: Window, name: str) -> None:
    """Keep what the window shows, if pictures are wanted."""
    if PICTURES:
        area = {"x": 0, "y": 0, "width": 900, "height": 420}
        window.page.screenshot(path=PICTURES / name, clip=area)
