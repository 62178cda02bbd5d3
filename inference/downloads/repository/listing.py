"""What the model hub has to say about a repository before anything of it is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from midfill.inference.downloads.hub_access import (
    ANONYMOUS_VARIABLE,
    ENDPOINT_VARIABLE,
    HUB,
    OFFLINE_VARIABLE,
    TOKEN_PLACES,
    hub_client,
    hub_endpoint,
    hub_errors,
    hub_is_off,
    hub_token,
    is_anonymous,
)
from midfill.inference.downloads.repository.answer import (
    COMMIT,
    answer_in,
    commit_in,
    files_in,
    licence_in,
)
from midfill.inference.errors import DownloadFailed, UsageError

if TYPE_CHECKING:
    import httpx

    from midfill.inference.downloads.repository.licence import Licence
    from midfill.inference.downloads.repository.remote_file import RemoteFile

USUAL_ENDPOINT = "https://huggingface.co"

_LONGEST_ANSWER = 64 << 20
"""Bytes; the hub's longest listings are a tenth of that."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit.

    Attributes:
        repository: its hub id, as the user wrote it.
        commit: what the revision that was asked for stands for now.
        licence: what its card says.
        files: all of them, each name once.
    """

    repository: str
    commit: str
    licence: Licence
    files: tuple[RemoteFile, ...]


def ask_hub(repository: str, revision: str) -> Listing:
    """List a repository, with a single request.

    Args:
        revision: a commit, branch or tag.

    Raises:
        UsageError: there is no such repository or revision, or not for everybody; or the token, a
            proxy or the certificates that are set cannot be used.
        DownloadFailed: the hub is switched off, out of reach, or makes no sense.
    """
    if hub_is_off():
        raise DownloadFailed(
            f"{repository} cannot be fetched: {HUB} is switched off by {OFFLINE_VARIABLE}; "
            "unset that and run the command again"
        )
    _check_name(repository)
    try:
        answer = answer_in(_ask(repository, revision))
        commit = commit_in(answer)
        if COMMIT.fullmatch(revision.lower()) and commit != revision.lower():
            raise DownloadFailed(f"{HUB} answers with another commit than it was asked for")
        licence = licence_in(answer, page_of(repository))
        return Listing(repository, commit, licence, files_in(answer))
    except DownloadFailed as error:
        raise DownloadFailed(
            f"{repository} cannot be fetched ({error}): check the network connection"
            f"{f' and {ENDPOINT_VARIABLE}' if hub_endpoint() else ''}, then run the command again"
        ) from error


def page_of(repository: str) -> str:
    """The address of a repository's page."""
    return f"{hub_endpoint() or USUAL_ENDPOINT}/{repository}"


def not_for_everybody(repository: str) -> UsageError:
    """What to raise where the hub asks who wants to know."""
    page = page_of(repository)
    if hub_token():
        return UsageError(
            f"{HUB} does not give {repository} to the owner of your token ({TOKEN_PLACES}): "
            f"ask for access at {page}, or use another token"
        )
    return UsageError(
        f"{HUB} gives {repository} only to those who have been given access at {page}: "
        f"ask for it there, then {_how_to_be_known()} of that account"
    )


def _check_name(repository: str) -> None:
    from huggingface_hub import hf_hub_url

    try:
        hf_hub_url(repository, "config.json", endpoint=hub_endpoint())
    except ValueError:  # it knows which names the hub allows
        raise UsageError(
            f"no repository of {HUB} can be called {repository!r}: check the name"
        ) from None


def _ask(repository: str, revision: str) -> bytes:
    """The body of the hub's answer."""
    with hub_errors(HUB), hub_client() as client:
        url = (
            f"{hub_endpoint() or USUAL_ENDPOINT}/api/models/{quote(repository)}"
            f"/revision/{quote(revision, safe='')}?blobs=true"
        )
        body = bytearray()
        with client.stream("GET", url) as answer:
            _need_listing(repository, revision, answer)
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _LONGEST_ANSWER:
                    raise DownloadFailed(f"{HUB} answers something else than a listing")
    return bytes(body)


def _need_listing(repository: str, revision: str, answer: httpx.Response) -> None:
    """Raise what the status of an answer means, unless it is all right."""
    status, code = answer.status_code, answer.headers.get("X-Error-Code", "")
    if code == "RevisionNotFound":
        raise UsageError(
            f"{repository} has no revision {revision!r}: name one of its commits, branches or tags"
        )
    if code == "GatedRepo" or status == 403:
        raise not_for_everybody(repository)
    if code == "RepoNotFound" or status in (401, 404):
        raise _not_shown(repository)
    answer.raise_for_status()


def _not_shown(repository: str) -> UsageError:
    if hub_token():
        return UsageError(
            f"{HUB} has no repository {repository!r}, or does not show it to the owner of your "
            f"token ({TOKEN_PLACES}): check the name, and whether the token is valid"
        )
    return UsageError(
        f"{HUB} has no repository {repository!r}, or does not show it to everybody: "
        f"check the name; if it is private, {_how_to_be_known()} that may read it"
    )


def _how_to_be_known() -> str:
    first = f"unset {ANONYMOUS_VARIABLE} and " if is_anonymous() else ""
    return f"{first}set HF_TOKEN to a token"
