"""The JSON files beside a model's weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from midfill.inference.errors import WeightsCorrupt

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever JSON there is
    """What a JSON file holds.

    Raises:
        WeightsCorrupt: it is not readable, or no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsCorrupt(f"{path} is damaged; pull the model again") from error


def read_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; an empty one if there is no file.

    Raises:
        WeightsCorrupt: it is not readable, or no object.
    """
    found = read_json(path) if path.is_file() else {}
    if not isinstance(found, dict):
        raise WeightsCorrupt(f"{path} is damaged; pull the model again")
    return found
