"""Ignore files, settings of folders, and names change while documents are open."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.inference.exclusion.ignore_file import NAMES
from midfill.lsp import configuration, folder_settings

if TYPE_CHECKING:
    from midfill.lsp.midfill_server import MidfillServer

WATCHED = (*NAMES, folder_settings.NAME)

EVERYTHING = types.FileOperationFilter(types.FileOperationPattern("**"))


def register(server: MidfillServer) -> None:
    """Have the server hear of what may change what is excluded."""
    server.feature(types.TEXT_DOCUMENT_DID_SAVE)(did_save)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_workspace_folders)
    server.feature(
        types.WORKSPACE_DID_RENAME_FILES, types.FileOperationRegistrationOptions([EVERYTHING])
    )(did_rename_files)


def ask_client(ls: MidfillServer) -> None:
    """Ask the client to watch ignore files, if it can. Without, they count at the next request."""
    workspace = ls.client_capabilities.workspace
    watching = workspace.did_change_watched_files if workspace else None
    if not (watching and watching.dynamic_registration):
        return
    watchers = [types.FileSystemWatcher(f"**/{name}") for name in WATCHED]
    registration = types.Registration(
        "midfill-ignore-files",
        types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
        types.DidChangeWatchedFilesRegistrationOptions(watchers),
    )
    # Nothing waits for the answer, and a client that refuses just does not tell.
    ls.client_register_capability(types.RegistrationParams([registration]))


def did_save(ls: MidfillServer, params: types.DidSaveTextDocumentParams) -> None:
    if ls.context:
        ls.context.saved(params.text_document.uri)
    if PurePosixPath(params.text_document.uri).name in WATCHED:
        _look_again(ls)


def did_change_watched_files(ls: MidfillServer, params: types.DidChangeWatchedFilesParams) -> None:
    _look_again(ls)


async def did_change_workspace_folders(
    ls: MidfillServer, params: types.DidChangeWorkspaceFoldersParams
) -> None:
    _look_again(ls)
    await configuration.folders_changed(ls)


def did_rename_files(ls: MidfillServer, params: types.RenameFilesParams) -> None:
    for file in params.files:
        ls.withheld(ls.documents.withhold_renamed(file.old_uri, file.new_uri))
    _look_again(ls)


def _look_again(ls: MidfillServer) -> None:
    ls.settings.forget_files()
    ls.withheld(ls.documents.withhold_excluded())
