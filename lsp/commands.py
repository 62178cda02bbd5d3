"""What a user asks Midfill itself: why nothing is suggested, and for quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.lsp.snooze import MINUTES

if TYPE_CHECKING:
    from midfill.lsp.language_server import MidfillServer
    from midfill.lsp.silence import Silence

EXPLAIN = "midfill.explain"
SNOOZE = "midfill.snooze"
RESUME = "midfill.resume"


def register(server: MidfillServer) -> None:
    """Offer the commands to the client."""
    server.command(EXPLAIN)(explain)
    server.command(SNOOZE)(snooze)
    server.command(RESUME)(resume)


def explain(ls: MidfillServer, uri: str | None = None) -> str:
    """Say in a sentence why nothing was suggested the last time, and what to change.

    Args:
        uri: the document's; without it, of the one that was asked about last.
    """
    sentence = str(_silence(ls, uri or ls.last_asked))
    _tell(ls, sentence)
    return sentence


def snooze(ls: MidfillServer, minutes: float = MINUTES) -> str:
    """Suggest nothing unasked for so many minutes."""
    if ls.suggestions is None:
        return _told(ls, "Midfill is still starting.")
    try:
        ls.suggestions.snooze.begin(float(minutes))
    except (TypeError, ValueError) as error:
        return _told(ls, f"Midfill cannot be paused: {error}.")
    ls.tell_activity()
    return _told(ls, f"Midfill is paused for {float(minutes):g} minutes.")


def resume(ls: MidfillServer) -> str:
    """Suggest again."""
    if ls.suggestions:
        ls.suggestions.snooze.end()
        ls.tell_activity()
    return _told(ls, "Midfill suggests again.")


def _silence(ls: MidfillServer, uri: str | None) -> Silence:
    from midfill.lsp import silence

    if not ls.read_settings.settings.enabled:
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


def _told(ls: MidfillServer, sentence: str) -> str:
    _tell(ls, sentence)
    return sentence


def _tell(ls: MidfillServer, sentence: str) -> None:
    ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, sentence))
