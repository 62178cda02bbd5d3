"""Reading what the service answers to other tools' requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


def parts_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The JSON of a stream's events, but not its ``[DONE]``."""
    lines = response.text.split("\n")
    assert all(line == "" or line.startswith("data: ") for line in lines), lines
    told = [line.removeprefix("data: ") for line in lines if line]
    return [json.loads(part) for part in told if part != "[DONE]"]
