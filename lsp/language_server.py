"""The language server: which message is handled by what.

An editor waits for the answer to ``initialize``, so what this module imports is all that is loaded
by then; HTTP, the wire types and the link to the engine follow once the editor has its answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from lsprotocol import types

from midfill.lsp import (
    commands,
    completion,
    configuration,
    document_sync,
    fill_in_place,
    ignore_file_watching,
)
from midfill.lsp.acceptance import messages
from midfill.lsp.midfill_server import MidfillServer
from midfill.lsp.notebook_cells import around_cell
from midfill.lsp.snapshot import Snapshot, take_snapshot

log = logging.getLogger(__name__)

DID_COPY = "midfill/didCopy"
"""A client tells what was copied: ``text``, and the ``uri`` of the document that it is from."""

Answer = Callable[[], types.InlineCompletionList | None]
"""What is still true when it is sent."""

CLOSING_SECONDS = 1.0
"""So long the engine is given to hear that this server leaves."""


def create_server() -> MidfillServer:
    """The server with all its handlers, not started."""
    server = MidfillServer()
    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.SHUTDOWN)(shutdown)
    document_sync.register(server)
    server.feature(DID_COPY)(did_copy)
    ignore_file_watching.register(server)
    configuration.register(server)
    server.offer_completion = lambda: completion.register(server)
    commands.register(server)
    messages.register(server)
    fill_in_place.register(server)
    # Without the options object pygls would not advertise the capability.
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(
        inline_completion
    )
    return server


async def initialized(ls: MidfillServer, params: types.InitializedParams) -> None:
    ignore_file_watching.ask_client(ls)
    await configuration.ask_at_start(ls)
    if ls.settings.everywhere.enabled:
        await _start(ls)
    else:
        ls.switch_on = partial(_switch_on, ls)


def _switch_on(ls: MidfillServer) -> None:
    """Somebody who had Midfill switched off at the start has changed their mind."""
    ls.switch_on = lambda: None
    ls.starting = asyncio.create_task(_start(ls))


async def _start(ls: MidfillServer) -> None:
    await asyncio.to_thread(_import_engine_side)
    _start_engine_side(ls)


async def shutdown(ls: MidfillServer, params: None) -> None:
    if ls.status:
        ls.status.close()
    if ls.journal:
        await asyncio.to_thread(ls.journal.close)
    if ls.context:
        await ls.context.close()
    if ls.link:
        with suppress(TimeoutError):
            await asyncio.wait_for(ls.link.close(), CLOSING_SECONDS)


def did_copy(ls: MidfillServer, params: object) -> None:
    if ls.context:
        ls.context.copied(params)


async def inline_completion(
    ls: MidfillServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList | Answer:
    ls.last_asked, ls.last_position = params.text_document.uri, params.position
    document = ls.documents.opened(params.text_document.uri)
    if document is None or ls.suggestions is None:
        ls.withheld([params.text_document.uri])  # it may be excluded only by now
        _explain_by_hand(ls, params)
        return types.InlineCompletionList([])
    snapshot = take_snapshot(document, params, *around_cell(ls.documents, document.uri))
    try:
        answer = await ls.suggestions.answer(snapshot)
    except Exception:
        # An error response would pop up at the user.
        log.exception("could not make a suggestion")
        ls.suggestions.broke(snapshot)
        return types.InlineCompletionList([])
    return lambda: (
        answer if answer is None or not answer.items or ls.still_holds(snapshot) else None
    )


def _explain_by_hand(ls: MidfillServer, params: types.InlineCompletionParams) -> None:
    """Somebody who asks by hand finds in the log why there is nothing; typing would fill it."""
    uri = params.text_document.uri
    reason = ls.documents.why_withheld(uri)
    if reason and params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked:
        log.info("no suggestion in %s, which is excluded: %s", uri, reason)


def _import_engine_side() -> None:
    import midfill.inference.syntax.parsing
    import midfill.lsp.acceptance.journal
    import midfill.lsp.context_feed
    import midfill.lsp.engine_link
    import midfill.lsp.status
    import midfill.lsp.suggestions  # noqa: F401


def _start_engine_side(ls: MidfillServer) -> None:
    from midfill.lsp.acceptance.journal import Journal
    from midfill.lsp.acceptance.state_folder import history_file
    from midfill.lsp.context_feed import ContextFeed
    from midfill.lsp.engine_link import Endpoint, EngineLink
    from midfill.lsp.manners import Manners
    from midfill.lsp.status import StatusReporter
    from midfill.lsp.suggestions import Suggestions

    ls.status = StatusReporter(ls)
    wanted = ls.settings.everywhere
    ls.endpoint = wanted.endpoint
    endpoint = Endpoint(wanted.endpoint, wanted.endpoint_token_file) if wanted.endpoint else None
    ls.link = EngineLink(wanted.model, ls.status.update, endpoint=endpoint)

    def manners(snapshot: Snapshot) -> Manners:
        return Manners.of(ls.settings.for_document(snapshot.uri, snapshot.language))

    ls.context = ContextFeed(ls.documents, ls.settings.everywhere)
    ls.journal = Journal(history_file(), wanted=ls.settings.everywhere.statistics)
    ls.suggestions = Suggestions(
        ls.link, ls.still_holds, manners, ls.tell_activity, ls.context.files_for, ls.journal
    )
    ls.link.start()
