"""Replacing a selection, or every placeholder in it, by what the model puts there."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from midfill.inference.errors import MidfillError
from midfill.lsp.midfill_server import MidfillServer  # noqa: TC001 (pygls looks it up)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.wire import Draft, Final
    from midfill.lsp.documents import Document
    from midfill.lsp.filling_holes import HolesToFill, Replacement

FILL_HOLES = "midfill.fillHoles"
FILL_RANGE = "midfill.fillRange"
TITLE = "Fill with Midfill"
TITLE_HOLES = "Fill all placeholders with Midfill"
ANNOTATION = "midfill"

_numbers = count(1)


def register(server: MidfillServer) -> None:
    """Offer the commands and the code actions that run them."""
    server.command(FILL_HOLES)(fill_holes)
    server.command(FILL_RANGE)(fill_range)
    kinds = types.CodeActionOptions([types.CodeActionKind.RefactorRewrite])
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)(code_actions)


def code_actions(ls: MidfillServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """To fill the selection, and the placeholders in it, if there are any."""
    document = ls.documents.opened(params.text_document.uri)
    kind = types.CodeActionKind.RefactorRewrite
    only = [str.__str__(asked) for asked in params.context.only or [kind]]
    wanted = any(f"{kind.value}.".startswith(asked + ".") for asked in only)
    if document is None or ls.link is None or not wanted:
        return []
    from midfill.inference.text.placeholders import placeholders_in

    start, end = _offsets(document, params.range)
    arguments: list[Any] = [document.uri, params.range]
    actions = []
    if start < end:
        actions.append((TITLE, FILL_RANGE))
        if placeholders_in(document.source, start, end):
            actions.append((TITLE_HOLES, FILL_HOLES))
    return [
        types.CodeAction(
            title, kind=kind, command=types.Command(title, command, arguments=arguments)
        )
        for title, command in actions
    ]


async def fill_holes(
    ls: MidfillServer,
    uri: str,
    *ranges: Any,  # noqa: ANN401 (pygls leaves optional arguments as they came)
) -> types.WorkspaceEdit | None:
    """Fill every placeholder of a document, or of a range of it, in one edit.

    Returns:
        the edit that was applied; None if there was nothing to fill or to put there.
    """
    document = _open_document(ls, uri)
    if document is None:
        return None
    from midfill.inference.text.placeholders import placeholders_in

    start, end = 0, len(document.source)
    if ranges and ranges[0] is not None:
        structure = ls.protocol._converter.structure
        start, end = _offsets(document, structure(ranges[0], types.Range))
    holes = placeholders_in(document.source, start, end)
    if not holes:
        ls.inform("There is no placeholder here: no ... or pass body, no TODO line, no ___.")
        return None
    from midfill.lsp.filling_holes import HolesToFill

    return await _fill(ls, document, HolesToFill(document.source, holes), TITLE_HOLES)


async def fill_range(ls: MidfillServer, uri: str, where: types.Range) -> types.WorkspaceEdit | None:
    """Replace a range by what the model puts between what stands before and behind it.

    Returns:
        the edit that was applied; None if there was nothing to put there.
    """
    document = _open_document(ls, uri)
    if document is None:
        return None
    from midfill.inference.text.line_breaks import LINE_BREAK
    from midfill.inference.text.placeholders import Placeholder
    from midfill.inference.wire import Extent
    from midfill.lsp.filling_holes import HolesToFill

    start, end = _offsets(document, where)
    several = LINE_BREAK.search(document.source, start, end)
    hole = Placeholder(start, end, Extent.LINES if several else Extent.LINE)
    return await _fill(ls, document, HolesToFill(document.source, [hole]), TITLE)


async def _fill(
    ls: MidfillServer, document: Document, filling: HolesToFill, title: str
) -> types.WorkspaceEdit | None:
    text = document.source
    holes = [types.Range(*map(document.client_position_at_offset, hole)) for hole in filling.places]
    progress = Progress(ls, title, filling.left)
    await progress.begin(document.uri, holes)
    try:
        while filling.left:
            filling.put(await _one_hole(ls, document.uri, filling, progress))
    except MidfillError as error:
        ls.inform(f"Midfill could not fill this: {error}.")
        return None
    except _NotWanted:
        return None
    finally:
        progress.end()
    return await _apply(ls, document.uri, text, filling, title)


class _NotWanted(Exception):
    """The user has cancelled, or the document is closed, or must not be seen any more."""


async def _one_hole(ls: MidfillServer, uri: str, filling: HolesToFill, progress: Progress) -> Final:
    """The fill of the next hole, unless the user or the document has gone meanwhile."""
    from midfill.inference.errors import EngineUnavailable
    from midfill.inference.wire import Final

    if progress.cancelled or ls.documents.opened(uri) is None:
        raise _NotWanted
    if ls.link is None:
        raise EngineUnavailable("Midfill is still starting")
    async with aclosing(ls.link.infill(filling.request())) as events:
        async for event in events:
            if progress.cancelled:
                raise _NotWanted
            if isinstance(event, Final):
                return event
            progress.show(event, filling.left)
    raise EngineUnavailable("it gave no answer")


async def _apply(
    ls: MidfillServer, uri: str, text: str, filling: HolesToFill, title: str
) -> types.WorkspaceEdit | None:
    """Have the editor make the edit, as it fits the document by now."""
    from midfill.lsp.filling_holes import rebased

    document = ls.documents.opened(uri)
    if document is None:
        return None
    replacements = rebased(filling.replacements, text, document.source)
    if lost := len(filling.replacements) - len(replacements):
        ls.inform(f"{lost} of the fills are dropped: the text there has changed meanwhile.")
    for why, number in Counter(filling.unfilled.values()).items():
        ls.inform(f"Holes that stay as they are: {number}. {why.sentence}")
    if not replacements:
        return None
    workspace = ls.client_capabilities.workspace
    takes = workspace.workspace_edit if workspace else None
    edit = workspace_edit(
        document,
        replacements,
        title,
        versioned=bool(takes and takes.document_changes),
        annotated=bool(takes and takes.document_changes and takes.change_annotation_support),
    )
    result = await ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, title))
    if not result.applied:
        ls.inform("The editor did not take the edit, as the text has changed: try again.")
        return None
    return edit


def workspace_edit(
    document: Document,
    replacements: list[Replacement],
    title: str,
    *,
    versioned: bool,
    annotated: bool,
) -> types.WorkspaceEdit:
    """One edit of one version of a document, which an editor undoes in one step.

    Args:
        versioned: the client can tell whether it still has that version.
        annotated: the client can show what an edit is for, and have it confirmed.
    """
    edits = [
        (
            types.Range(
                document.client_position_at_offset(replacement.start),
                document.client_position_at_offset(replacement.end),
            ),
            replacement.text,
        )
        for replacement in replacements
    ]
    if not versioned:
        plain = [types.TextEdit(where, text) for where, text in edits]
        return types.WorkspaceEdit(changes={document.uri: plain})
    version = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    if not annotated:
        changes = types.TextDocumentEdit(version, [types.TextEdit(*edit) for edit in edits])
        return types.WorkspaceEdit(document_changes=[changes])
    annotated_edits = [types.AnnotatedTextEdit(ANNOTATION, where, text) for where, text in edits]
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(version, annotated_edits)],
        change_annotations={
            ANNOTATION: types.ChangeAnnotation(title, False, "Written by the model: read it.")
        },
    )


class Progress:
    """A progress bar with the draft of the hole that is being filled; can be cancelled."""

    def __init__(self, ls: MidfillServer, title: str, holes: int) -> None:
        self._ls = ls
        self._title = title
        self._holes = holes
        self._token = f"midfill-fill-{next(_numbers)}"
        window = ls.client_capabilities.window
        self._shown = bool(window and window.work_done_progress)

    async def begin(self, uri: str, holes: Sequence[types.Range]) -> None:
        """Say what is being filled, with the places in ``fill`` for clients of ours."""
        if not self._shown:
            return
        await self._ls.work_done_progress.create_async(self._token)
        value = {
            "kind": "begin",
            "title": self._title,
            "cancellable": True,
            "percentage": 0,
            "fill": {"uri": uri, "holes": holes},
        }
        self._ls.protocol.notify(types.PROGRESS, types.ProgressParams(self._token, value))

    @property
    def cancelled(self) -> bool:
        future = self._ls.work_done_progress.tokens.get(self._token)
        return future is not None and future.cancelled()

    def show(self, draft: Draft, left: int) -> None:
        """Report a draft: its text as the message, and whole in ``draft``, for clients of ours."""
        if not self._shown:
            return
        done = self._holes - left
        value = {
            "kind": "report",
            "message": (draft.text + draft.guess).strip().rpartition("\n")[2][:80],
            "percentage": round(100 * done / self._holes),
            "draft": {
                "text": draft.text,
                "guess": draft.guess,
                "masked": draft.masked,
                "hole": done,
            },
        }
        self._ls.protocol.notify(types.PROGRESS, types.ProgressParams(self._token, value))

    def end(self) -> None:
        if self._shown:
            self._ls.work_done_progress.end(self._token, types.WorkDoneProgressEnd())
            self._ls.work_done_progress.tokens.pop(self._token, None)


def _open_document(ls: MidfillServer, uri: str) -> Document | None:
    document = ls.documents.opened(uri)
    if document is None:
        reason = ls.documents.why_withheld(uri)
        ls.inform(f"This file is excluded: {reason}." if reason else "This document is not open.")
    return document


def _offsets(document: Document, where: types.Range) -> tuple[int, int]:
    start, end = (document.offset_at_position(place) for place in (where.start, where.end))
    return min(start, end), max(start, end)
