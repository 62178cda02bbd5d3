"""What a user asks Midfill itself: why nothing is suggested, and for quiet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from midfill.lsp.midfill_server import MidfillServer  # noqa: TC001 (pygls looks it up)
from midfill.lsp.snooze import MINUTES

if TYPE_CHECKING:
    from midfill.lsp.silence import Silence

EXPLAIN = "midfill.explain"
SNOOZE = "midfill.snooze"
RESUME = "midfill.resume"


def register(server: MidfillServer) -> None:
    """Offer the commands to the client."""
    server.command(EXPLAIN)(explain)
    server.command(SNOOZE)(snooze)
    server.command(RESUME)(resume)


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
    asyncio.get_running_loop().call_later(60 * wanted + 1, ls.tell_activity)
    return ls.inform(f"Midfill is paused for {wanted:g} minutes.")


def resume(ls: MidfillServer) -> str:
    """Suggest again."""
    if ls.suggestions:
        ls.suggestions.snooze.end()
        ls.tell_activity()
    return ls.inform("Midfill suggests again.")


def _silence(ls: MidfillServer, uri: str | None) -> Silence:
    from midfill.lsp import silence

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
    return ls.suggestions.why(document.uri)
