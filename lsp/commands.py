"""What a user asks Midfill itself: why nothing is suggested, and for quiet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from midfill.lsp.midfill_server import MidfillServer  # noqa: TC001 (pygls looks it up)
from midfill.lsp.notebook_cells import around_cell
from midfill.lsp.snapshot import take_snapshot
from midfill.lsp.snooze import MINUTES

if TYPE_CHECKING:
    from midfill.lsp.silence import Silence

EXPLAIN = "midfill.explain"
SNOOZE = "midfill.snooze"
RESUME = "midfill.resume"
SHOW_PROMPT = "midfill.showPrompt"


def register(server: MidfillServer) -> None:
    """Offer the commands to the client."""
    server.command(EXPLAIN)(explain)
    server.command(SNOOZE)(snooze)
    server.command(RESUME)(resume)
    server.command(SHOW_PROMPT)(show_prompt)


# pygls gives a command its arguments only if all of them are there, so optional ones are ``*``.


def explain(ls: MidfillServer, *uris: Any) -> str:  # noqa: ANN401
    """Say in a sentence why nothing was suggested the last time, and what to change.

    Args:
        uris: the document's; without one, of the one that was asked about last.
    """
    uri = uris[0] if uris and isinstance(uris[0], str) else ls.last_asked
    return ls.inform(str(_silence(ls, uri)))


def snooze(ls: MidfillServer, *minutes: Any) -> str:  # noqa: ANN401
    """Suggest nothing unasked for so many minutes."""
    if ls.suggestions is None:
        return ls.inform("Midfill is still starting.")
    try:
        wanted = float(minutes[0]) if minutes else MINUTES
        ls.suggestions.snooze.begin(wanted)
    except (TypeError, ValueError) as error:
        return ls.inform(f"Midfill cannot be paused: {error}.")
    ls.tell_activity()
    _stop_timer(ls)
    ls.end_of_snooze = asyncio.get_running_loop().call_later(60 * wanted + 1, ls.tell_activity)
    return ls.inform(f"Midfill is paused for {wanted:g} minutes.")


def resume(ls: MidfillServer) -> str:
    """Suggest again."""
    _stop_timer(ls)
    if ls.suggestions:
        ls.suggestions.snooze.end()
        ls.tell_activity()
    return ls.inform("Midfill suggests again.")


def _stop_timer(ls: MidfillServer) -> None:
    if ls.end_of_snooze:
        ls.end_of_snooze.cancel()


async def show_prompt(ls: MidfillServer, *arguments: Any) -> str | None:  # noqa: ANN401
    """What the model is given for a suggestion, as a page of Markdown for the editor to open.

    Args:
        arguments: a document's URI and a position in it; without, those that were asked about last.

    Returns:
        None if there is no prompt; the user is told why.
    """
    from midfill.inference.errors import MidfillError
    from midfill.inference.text.hole_at_cursor import NoHole
    from midfill.lsp.inline_completion import hole_for, request_for, spot_of
    from midfill.lsp.show_prompt import prompt_as_markdown

    uri = arguments[0] if arguments and isinstance(arguments[0], str) else ls.last_asked
    document = ls.documents.opened(uri) if uri else None
    if document is None or ls.link is None or ls.context is None:
        ls.inform(str(_silence(ls, uri)))
        return None
    position = ls.last_position
    if len(arguments) > 1:
        position = ls.protocol._converter.structure(arguments[1], types.Position)
    invoked = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)
    asked = types.TextDocumentIdentifier(document.uri)
    params = types.InlineCompletionParams(invoked, asked, position)
    snapshot = take_snapshot(document, params, *around_cell(ls.documents, document.uri))
    spot = spot_of(snapshot)
    hole = hole_for(snapshot, spot)
    if isinstance(hole, NoHole):
        ls.inform(hole.reason.sentence)
        return None
    request = request_for(snapshot, spot, hole)
    files = ls.context.files_for(snapshot)
    try:
        shown = await ls.link.prompt(request.model_copy(update={"context": files}))
    except MidfillError as error:
        ls.inform(f"Midfill cannot show the prompt: {error}.")
        return None
    return prompt_as_markdown(shown)


def _silence(ls: MidfillServer, uri: str | None) -> Silence:
    from midfill.lsp import silence
    from midfill.lsp.manners import Manners

    if not ls.settings.everywhere.enabled:
        return silence.DISABLED
    if uri is None:
        return silence.NEVER_ASKED
    if reason := ls.documents.why_withheld(uri):
        return silence.excluded(reason)
    document = ls.documents.opened(uri)
    if document is None:
        return silence.NOT_OPEN
    if ls.suggestions is None:
        return silence.STARTING
    settings = ls.settings.for_document(document.uri, document.language_id or "")
    return ls.suggestions.why(document.uri, Manners.of(settings))
