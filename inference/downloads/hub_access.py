"""Where the model hub is, who the user is there, and what can be wrong with asking it.

``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` are honoured.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from midfill.inference.errors import DownloadFailed
from midfill.inference.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

PROBE_SECONDS = 3.0
"""A hub that has not answered by then is taken for out of reach."""

STALL_SECONDS = 15.0
"""A transfer that brings nothing for so long is taken for broken."""

ENDPOINT_VARIABLE = "HF_ENDPOINT"
"""The environment variable that names another hub."""

OFFLINE_VARIABLE = "HF_HUB_OFFLINE"
"""The environment variable that switches the hub off."""


def hub_is_off() -> bool:
    """Whether the user has switched the hub off.

    Raises:
        DownloadFailed: its address makes no sense.
    """
    if os.environ.get(OFFLINE_VARIABLE, "").upper() in ("1", "ON", "YES", "TRUE"):
        return True
    hub_endpoint()  # `huggingface_hub` cannot even be imported with an address that makes no sense
    from huggingface_hub import is_offline_mode

    return is_offline_mode()


def hub_endpoint() -> str | None:
    """The hub's address if it is another than the usual one.

    Raises:
        DownloadFailed: it makes no sense.
    """
    address = os.environ.get(ENDPOINT_VARIABLE, "").rstrip("/")
    try:
        parts = urlsplit(address)
        sound = not address or (parts.scheme in ("http", "https") and bool(parts.hostname))
    except ValueError:
        sound = False
    if not sound:
        raise DownloadFailed(
            f"{ENDPOINT_VARIABLE} is no address: unset it, or set it to one such as "
            "https://huggingface.co"
        )
    return address or None


def hub_client() -> httpx.Client:
    """A client that follows redirects, and tells the hub alone who the user is there."""
    import httpx
    from huggingface_hub import get_token

    # compressed, neither sizes nor offsets would be those of the file
    headers = {"Accept-Encoding": "identity", "User-Agent": f"midfill/{version()}"}
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    timeout = httpx.Timeout(STALL_SECONDS, connect=PROBE_SECONDS)
    return httpx.Client(headers=headers, timeout=timeout, follow_redirects=True)


@contextmanager
def hub_errors(name: str) -> Iterator[None]:
    """Put what HTTP has to say into a clause that names the hub.

    Raises:
        DownloadFailed: the hub, or the store behind it, refuses, breaks off or is out of reach.
    """
    import httpx

    try:
        yield
    except httpx.HTTPStatusError as error:
        raise DownloadFailed(f"{name} answers {error.response.status_code}") from error
    except httpx.TimeoutException as error:
        raise DownloadFailed(f"{name} does not answer") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadFailed(f"{name} cannot be reached") from error
