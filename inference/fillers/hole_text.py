"""The text around a request's hole, as models read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.text.line_breaks import for_model, line_break_of
from midfill.inference.text.utf8 import need_utf8

if TYPE_CHECKING:
    from midfill.inference.text.line_breaks import LineBreak
    from midfill.inference.wire import InfillRequest


@dataclass(frozen=True, slots=True)
class HoleText:
    """A hole and its surroundings.

    Attributes:
        prefix, suffix, replaced: text before, behind and in the hole, with ``\\n`` line breaks.
        line_break: the document's own.
    """

    prefix: str
    suffix: str
    replaced: str
    line_break: LineBreak


def hole_text(request: InfillRequest) -> HoleText:
    """Cut a request's text at its hole.

    Raises:
        InvalidText: the text, or that of another file, has no UTF-8 form.
    """
    text, hole = request.prefix + request.suffix, request.hole
    need_utf8(text, *(file.text for file in request.context))
    return HoleText(
        prefix=for_model(text[: hole.start]),
        suffix=for_model(text[hole.end :]),
        replaced=for_model(text[hole.start : hole.end]),
        line_break=line_break_of(text),
    )
