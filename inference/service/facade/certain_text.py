"""What a draft says that the final fill cannot take back.

A draft's text is known, but rules may still cut it: a limit cuts off a last word that may be half
written, or a last line; a line that repeats the next one goes as a whole; of several lines the
engine may find, some lines later, that the middle ended before. So of a line or a statement all but
its last word is certain; of several lines, the first visible one once it is finished. Where code
follows on the hole's line, nothing is certain before the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.stopping import Surroundings, end_of_line, find_end, finished_part
from midfill.inference.text.line_breaks import for_model, in_document, line_break_of

if TYPE_CHECKING:
    from midfill.inference.wire import InfillRequest


class CertainText:
    """Tells it for the drafts of one request.

    Args:
        request: whose hole is the empty span between prefix and suffix.
    """

    def __init__(self, request: InfillRequest) -> None:
        self._extent = request.hole.extent
        self._around = Surroundings.of(
            for_model(request.prefix), for_model(request.suffix), self._extent
        )
        self._line_break = line_break_of(request.prefix + request.suffix)

    def of(self, draft: str) -> str:
        """The certain part of a draft's known text, with the document's line breaks."""
        around = self._around
        if around.line_after.strip():
            return ""
        if ending := find_end(draft, around, self._extent):
            draft = draft[: ending.at]
        if self._extent.several_lines:
            end = end_of_line(draft, around)
            certain = draft[:end] if end is not None else ""
        else:
            certain = finished_part(draft, self._extent)
            finished, _, last = f"{around.line_before}{certain}".rpartition("\n")
            if around.next_line.strip().startswith(last.strip()):
                certain = finished[len(around.line_before) :]
        return in_document(certain.rstrip(), self._line_break)
