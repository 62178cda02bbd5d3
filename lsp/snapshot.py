"""What an editor shows at the moment it asks for a suggestion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.inference.syntax.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.lsp.documents import Document


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document, and where in it a suggestion is to begin.

    The suggestion stands in for ``text[start:end]`` and begins with ``selected``, what the editor's
    completion popup would put there. Without a popup all of it is empty and at the cursor.

    Attributes:
        range: ``start`` to ``end`` in the client's units.
        invoked: somebody asked for it by hand and may want to choose.
        place: tells what kind of text ``start`` stands in.
        after_deletion: the document's last change only deleted something.
        above: what stands above the document where it is a cell of a notebook, and
        below: what stands below it.
    """

    uri: str
    version: int | None
    language: str
    text: str
    start: int
    end: int
    selected: str
    range: types.Range
    invoked: bool
    place: Callable[[], Place] = lambda: Place.CODE
    after_deletion: bool = False
    above: str = ""
    below: str = ""

    def still_holds(self, document: Document | None) -> bool:
        """Whether the document is as it was."""
        return (
            document is not None
            and document.version == self.version
            and document.source == self.text
        )


def take_snapshot(
    document: Document, params: types.InlineCompletionParams, above: str = "", below: str = ""
) -> Snapshot:
    """The document as it is now; positions past its end mean its end.

    Args:
        above, below: the notebook around the document, if it is a cell.
    """
    popup = params.context.selected_completion_info
    if popup is None:
        start = end = document.position_from_client_units(params.position)
    else:
        start = document.position_from_client_units(popup.range.start)
        end = document.position_from_client_units(popup.range.end)
    offset = document.offset_at_server_position(start)
    return Snapshot(
        uri=document.uri,
        version=document.version,
        language=document.language_id or "",
        text=document.source,
        start=offset,
        end=document.offset_at_server_position(end),
        selected="" if popup is None else popup.text,
        range=types.Range(
            document.position_to_client_units(start), document.position_to_client_units(end)
        ),
        invoked=params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked,
        place=partial(document.place_in, document.source, offset),
        after_deletion=document.deleted_last,
        above=above,
        below=below,
    )
