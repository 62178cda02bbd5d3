"""What clients tell about suggestions: by the command of an item, or by messages of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midfill.lsp.acceptance.offer import ACCEPTED
from midfill.lsp.midfill_server import MidfillServer  # noqa: TC001 (pygls looks it up)

DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"


def register(server: MidfillServer) -> None:
    """Listen to what a client has to say; many say nothing."""
    server.command(ACCEPTED)(accepted)
    server.feature(DID_SHOW)(did_show)
    server.feature(DID_PARTIALLY_ACCEPT)(did_partially_accept)


def accepted(ls: MidfillServer, *names: Any) -> None:  # noqa: ANN401
    """A suggestion was accepted."""
    if ls.journal and names and isinstance(names[0], str):
        ls.journal.accepted(names[0])


def did_show(ls: MidfillServer, params: object) -> None:
    """A suggestion is on the screen."""
    name = suggestion_in(params)
    if ls.journal and name is not None:
        ls.journal.shown(name)


def did_partially_accept(ls: MidfillServer, params: object) -> None:
    """The beginning of a suggestion was accepted."""
    name, length = suggestion_in(params), _get(params, "acceptedLength")
    if ls.journal and name is not None and type(length) is int:
        ls.journal.partially_accepted(name, length)


def suggestion_in(params: object) -> str | None:
    """The id of the suggestion that a client sends back; None if it is not one of ours."""
    command = _get(_get(params, "item"), "command")
    arguments = _get(command, "arguments")
    if _get(command, "command") != ACCEPTED or not isinstance(arguments, list | tuple):
        return None
    return arguments[0] if arguments and isinstance(arguments[0], str) else None


def _get(thing: object, name: str) -> object:
    """A property of what a client sent, however it was read."""
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
