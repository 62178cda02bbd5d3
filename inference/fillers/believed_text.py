"""What is believed to stand in a hole before a model has said anything, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.stopping import Surroundings, find_end
from midfill.inference.text.line_breaks import for_model
from midfill.inference.text_lookup import continuation_elsewhere

if TYPE_CHECKING:
    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.last_fills import LastFills
    from midfill.inference.wire import InfillRequest


def believed_text(
    request: InfillRequest, text: HoleText, fills: LastFills, caller: str = ""
) -> str:
    """What the caller's last fill has left here; else what follows the same text elsewhere.

    Elsewhere is in front of the hole and in the files that are sent along. What follows there
    counts up to where a rule would end it; without such an end it could go on for ever.

    Returns:
        Empty where nothing is believed.
    """
    around = Surroundings.of(text.prefix, text.suffix, request.hole.extent, text.replaced)
    if left := fills.left(text.prefix, caller):
        ending = find_end(left, around, request.hole.extent)
        return left[: ending.at] if ending else left
    others = [for_model(file.text) for file in request.context]
    found = continuation_elsewhere(text.prefix, others)
    ending = find_end(found, around, request.hole.extent)
    return found[: ending.at] if ending else ""
