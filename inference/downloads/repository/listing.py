"""What the model hub has to say about a repository before anything of it is fetched."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.downloads.hub_access import (
    OFFLINE_VARIABLE,
    STALL_SECONDS,
    hub_endpoint,
    hub_is_off,
)
from midfill.inference.downloads.repository.licence import Licence, licence_of
from midfill.inference.downloads.repository.remote_file import RemoteFile
from midfill.inference.errors import DownloadFailed, UsageError

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

HUB = "the model hub"

USUAL_ENDPOINT = "https://huggingface.co"

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit.

    Attributes:
        repository: its hub id, as the user wrote it.
        commit: what the revision that was asked for stands for now.
        licence: what its card says.
        files: all of them.
    """

    repository: str
    commit: str
    licence: Licence
    files: tuple[RemoteFile, ...]


def ask_hub(repository: str, revision: str) -> Listing:
    """List a repository.

    Args:
        revision: a commit, branch or tag.

    Raises:
        UsageError: there is no such repository or revision, or not for everybody.
        DownloadFailed: the hub is switched off, out of reach, or makes no sense.
    """
    if hub_is_off():
        raise DownloadFailed(
            f"{repository} cannot be fetched: {HUB} is switched off by {OFFLINE_VARIABLE}; "
            "unset that and run the command again"
        )
    try:
        return _listing(repository, _model_info(repository, revision))
    except DownloadFailed as error:
        raise DownloadFailed(
            f"{repository} cannot be fetched ({error}): check the network connection"
            f"{' and HF_ENDPOINT' if hub_endpoint() else ''}, then run the command again"
        ) from error


def page_of(repository: str) -> str:
    """The address of a repository's page."""
    return f"{hub_endpoint() or USUAL_ENDPOINT}/{repository}"


def not_for_everybody(repository: str) -> UsageError:
    """What to raise where the hub asks who wants to know."""
    from huggingface_hub import get_token

    page = page_of(repository)
    if get_token():
        return UsageError(
            f"{HUB} does not give {repository} to the owner of the token in HF_TOKEN: "
            f"ask for access at {page}, or use another token"
        )
    return UsageError(
        f"{HUB} gives {repository} only to those who have been given access at {page}: "
        "ask for it there, then set HF_TOKEN to a token of that account"
    )


def _model_info(repository: str, revision: str) -> ModelInfo:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    api = HfApi(endpoint=hub_endpoint(), library_name="midfill")
    try:
        return api.model_info(
            repository, revision=revision, files_metadata=True, timeout=STALL_SECONDS
        )
    except GatedRepoError:
        raise not_for_everybody(repository) from None
    except RepositoryNotFoundError:
        raise _not_shown(repository) from None
    except RevisionNotFoundError:
        raise UsageError(
            f"{repository} has no revision {revision!r}: name one of its commits, branches or tags"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status == 401:
            raise _not_shown(repository) from None
        if status == 403:
            raise not_for_everybody(repository) from None
        raise DownloadFailed(f"{HUB} answers {status}") from error
    except _http_errors() as error:
        does = "does not answer" if "Timeout" in type(error).__name__ else "cannot be reached"
        raise DownloadFailed(f"{HUB} {does}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadFailed(f"{HUB} answers something else than a listing") from error


def _http_errors() -> tuple[type[Exception], ...]:
    """What the HTTP library raises that `huggingface_hub` was built on.

    Which one that is differs between its versions.
    """
    from huggingface_hub.errors import HfHubHTTPError

    roots = [kind for kind in HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError"]
    libraries = [sys.modules.get(root.__module__) for root in roots]
    return (*roots, *(kind for one in libraries if (kind := getattr(one, "InvalidURL", None))))


def _not_shown(repository: str) -> UsageError:
    return UsageError(
        f"{HUB} has no repository {repository!r}, or does not show it to everybody: "
        "check the name; if it is private, set HF_TOKEN to a token that is valid"
    )


def _listing(repository: str, info: ModelInfo) -> Listing:
    card = info.card_data
    licence = licence_of(
        getattr(card, "license", None),
        getattr(card, "license_name", None),
        getattr(card, "license_link", None),
        info.tags or (),
        page_of(repository),
    )
    files = []
    for sibling in info.siblings or ():
        sha256, blob = sibling.lfs.sha256 if sibling.lfs else None, sibling.blob_id
        size = sibling.lfs.size if sibling.lfs else sibling.size
        if size is None or not (sha256 or blob):
            raise DownloadFailed(f"{HUB} does not tell the sizes and checksums of its files")
        files.append(RemoteFile(sibling.rfilename, size, sha256, blob or ""))
    if not COMMIT.fullmatch(info.sha or ""):
        raise DownloadFailed(f"{HUB} does not tell the commit")
    return Listing(repository, str(info.sha), licence, tuple(files))
