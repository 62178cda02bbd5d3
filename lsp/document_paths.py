"""Where a document lies, as far as its URI tells."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

_URI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<authority>//[^/?#]*)?(?P<rest>.*)", re.S
)
_BEHIND_THE_PATH = re.compile(r"[?#]")
_DRIVE = re.compile(r"/[A-Za-z]:")


def paths_of(uri: str) -> tuple[str, ...]:
    """The paths that a URI may mean: absolute ones, or a bare name of a document without a folder.

    It is the path part whatever the scheme, as in ``vscode-notebook-cell:/home/me/a.ipynb#C``. Not
    every client escapes ``#`` and ``?`` in the names of files: for these both readings are given.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        return (_native(uri),)
    whole = match["rest"]
    path = _BEHIND_THE_PATH.split(whole, maxsplit=1)[0]
    if match["scheme"].lower() != "file":
        return (_native(path),)
    authority = match["authority"] or ""
    host = "" if authority.lower() in ("", "//", "//localhost") else authority
    return tuple(dict.fromkeys(_native(host + reading) for reading in (path, whole)))


def folder_path(uri: str) -> str:
    """Where a workspace folder lies."""
    return paths_of(uri)[0]


def _native(quoted: str) -> str:
    # Bytes that are no UTF-8 stay what they are in the names of files.
    path = unquote(quoted, errors="surrogateescape")
    if os.name == "nt":
        path = path.removeprefix("/") if _DRIVE.match(path) else path
        path = path.replace("/", "\\")
    return path
