"""Settings that the client has, and may change at any time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.lsp.midfill_server import MidfillServer  # noqa: TC001 (pygls looks it up)

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

SECTION = "midfill"

ANSWER_SECONDS = 2.0
"""So long the start waits for the client's settings; later ones count when they come."""


def register(server: MidfillServer) -> None:
    """Have the server hear of changed settings."""
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)


async def ask_at_start(ls: MidfillServer) -> None:
    """Ask for the settings and for word of their changes, as far as the client can."""
    ls.settings.open_folders(_folders(ls))
    ls.settings.tell_complaints()
    workspace = ls.client_capabilities.workspace
    changes = workspace.did_change_configuration if workspace else None
    if changes and changes.dynamic_registration:
        registration = types.Registration(
            "midfill-configuration",
            types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            types.DidChangeConfigurationRegistrationOptions(SECTION),
        )
        ls.client_register_capability(types.RegistrationParams([registration]))
    if _can_be_asked(ls):
        asking = asyncio.create_task(ask(ls))
        _, late = await asyncio.wait([asking], timeout=ANSWER_SECONDS)
        if late:
            log.warning("the editor has not told its settings yet: going on without them")


async def ask(ls: MidfillServer) -> None:
    """Ask for the settings, and go by them."""
    folders = _folders(ls)
    items = [types.ConfigurationItem(section=SECTION)]
    items += [types.ConfigurationItem(folder, SECTION) for folder in folders]
    try:
        answers = await ls.workspace_configuration_async(types.ConfigurationParams(items))
    except Exception as error:  # whatever the client's error: what was known holds
        log.warning("the editor does not tell its settings (%s)", type(error).__name__)
        return
    if not isinstance(answers, list | tuple) or len(answers) != len(items):
        log.warning("the editor's settings do not fit the question")
        return
    ls.settings.open_folders(folders)
    ls.settings.configure(answers[0], dict(zip(folders, answers[1:], strict=True)))
    ls.settings_changed()


async def folders_changed(ls: MidfillServer) -> None:
    """The workspace has other folders now."""
    ls.settings.open_folders(_folders(ls))
    if _can_be_asked(ls):
        await ask(ls)


async def did_change_configuration(
    ls: MidfillServer, params: types.DidChangeConfigurationParams
) -> None:
    """Clients that can be asked send nothing of use; the others send the settings themselves."""
    if _can_be_asked(ls):
        await ask(ls)
    elif isinstance(params.settings, Mapping):
        ls.settings.configure(params.settings.get(SECTION))
        ls.settings_changed()


def _can_be_asked(ls: MidfillServer) -> bool:
    workspace = ls.client_capabilities.workspace
    return bool(workspace and workspace.configuration)


def _folders(ls: MidfillServer) -> Sequence[str]:
    store = ls.documents
    if store.folders:
        return [folder.uri for folder in store.folders.values()]
    return [store.root_uri] if store.root_uri else []
