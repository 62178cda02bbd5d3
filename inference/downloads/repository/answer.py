"""What the hub answers when it is asked for a repository, taken apart; nothing in it is believed.

Every function raises `DownloadFailed`, with a clause that names the hub, for what makes no sense.
"""

from __future__ import annotations

import json
import re
from typing import Any

from midfill.inference.downloads.hub_access import HUB
from midfill.inference.downloads.repository.licence import Licence, licence_of
from midfill.inference.downloads.repository.remote_file import RemoteFile
from midfill.inference.errors import DownloadFailed

COMMIT = re.compile(r"[0-9a-f]{40}")

_SHA256 = re.compile(r"[0-9a-f]{64}")

_BIGGEST_FILE = 1 << 50


def answer_in(body: bytes) -> dict[str, Any]:
    """The object that the hub has sent."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _no_listing() from error
    if not isinstance(found, dict):
        raise _no_listing()
    return found


def commit_in(answer: dict[str, Any]) -> str:
    """The commit that the revision stands for."""
    commit = answer.get("sha")
    if not (isinstance(commit, str) and COMMIT.fullmatch(commit)):
        raise DownloadFailed(f"{HUB} does not tell the commit")
    return commit


def licence_in(answer: dict[str, Any], page: str) -> Licence:
    """The licence that the repository's card gives; ``page`` is the repository's."""
    card, tags = answer.get("cardData"), answer.get("tags")
    card, tags = {} if card is None else card, [] if tags is None else tags
    if not isinstance(card, dict) or not _are_texts(tags):
        raise _no_listing()
    return licence_of(
        card.get("license"), card.get("license_name"), card.get("license_link"), tags, page
    )


def files_in(answer: dict[str, Any]) -> tuple[RemoteFile, ...]:
    """All files of the repository."""
    siblings = answer.get("siblings")
    if not isinstance(siblings, list):
        raise _no_listing()
    files: dict[str, RemoteFile] = {}
    for sibling in siblings:
        file = _file(sibling)
        if file.name in files:
            raise DownloadFailed(f"{HUB} lists two files of the same name ({file.name!r:.100})")
        files[file.name] = file
    return tuple(files.values())


def _file(sibling: object) -> RemoteFile:
    if not isinstance(sibling, dict):
        raise _no_listing()
    name, stored = sibling.get("rfilename"), sibling.get("lfs")
    if not (isinstance(name, str) and isinstance(stored, dict | None)):
        raise _no_listing()
    size = stored.get("size") if stored else sibling.get("size")
    digest, form = (stored.get("sha256"), _SHA256) if stored else (sibling.get("blobId"), COMMIT)
    if size is None or digest is None:
        raise DownloadFailed(f"{HUB} does not tell the sizes and checksums of its files")
    if type(size) is not int or not 0 <= size <= _BIGGEST_FILE:
        raise _no_listing()
    if not (isinstance(digest, str) and form.fullmatch(digest)):
        raise _no_listing()
    return RemoteFile(name, size, digest, "") if stored else RemoteFile(name, size, None, digest)


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _no_listing() -> DownloadFailed:
    return DownloadFailed(f"{HUB} answers something else than a listing")
