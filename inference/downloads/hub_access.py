"""Where the model hub is, who the user is there, and what can be wrong with asking it.

``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_DISABLE_IMPLICIT_TOKEN`` and ``HF_HUB_OFFLINE`` are
honoured.
"""

from __future__ import annotations

import os
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from midfill.inference.errors import DownloadFailed, UsageError
from midfill.inference.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

    import httpx

HUB = "the model hub"

PROBE_SECONDS = 3.0
"""A hub that has not answered by then is taken for out of reach."""

STALL_SECONDS = 15.0
"""A transfer that brings nothing for so long is taken for broken."""

ENDPOINT_VARIABLE = "HF_ENDPOINT"
"""The environment variable that names another hub."""

OFFLINE_VARIABLE = "HF_HUB_OFFLINE"
"""The environment variable that switches the hub off."""

ANONYMOUS_VARIABLE = "HF_HUB_DISABLE_IMPLICIT_TOKEN"
"""The environment variable that keeps the user's token from being sent."""

TOKEN_PLACES = "HF_TOKEN, or the one that `hf auth login` has stored"
"""Where a token comes from."""


def hub_is_off() -> bool:
    """Whether the user has switched the hub off.

    Raises:
        DownloadFailed: its address makes no sense.
    """
    if _is_set(OFFLINE_VARIABLE):
        return True
    hub_endpoint()  # `huggingface_hub` cannot even be imported with an address that makes no sense
    from huggingface_hub import is_offline_mode

    return is_offline_mode()


def hub_endpoint() -> str | None:
    """The hub's address if it is another than the usual one, without a name and password in it.

    Raises:
        DownloadFailed: it makes no sense.
    """
    parts = _endpoint_parts()
    if parts is None:
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def is_anonymous() -> bool:
    """Whether the user does not want to be known to the hub."""
    return _is_set(ANONYMOUS_VARIABLE)


def hub_token() -> str | None:
    """What the user is known to the hub by, if at all.

    Raises:
        UsageError: it cannot be had or sent.
    """
    if is_anonymous():
        return None
    from huggingface_hub import get_token

    try:
        token = get_token()
    except Exception as error:  # files, logins of build services and renewals each raise their own
        raise UsageError(
            f"the token of {HUB} ({TOKEN_PLACES}) cannot be read or renewed: "
            f"log in again, or set {ANONYMOUS_VARIABLE}=1 to send none"
        ) from error
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError(
            f"the token of {HUB} ({TOKEN_PLACES}) has characters in it that no token has: "
            f"copy it again, or set {ANONYMOUS_VARIABLE}=1 to send none"
        )
    return token


def hub_client() -> httpx.Client:
    """A client that follows redirects, and tells the hub alone who the user is there.

    Raises:
        UsageError: the token, a proxy or the certificates that are set cannot be used.
    """
    import httpx

    # compressed, neither sizes nor offsets would be those of the file
    headers = {"Accept-Encoding": "identity", "User-Agent": f"midfill/{version()}"}
    if authorization := _authorization():
        headers["Authorization"] = authorization
    timeout = httpx.Timeout(STALL_SECONDS, connect=PROBE_SECONDS)
    try:
        return httpx.Client(headers=headers, timeout=timeout, follow_redirects=True)
    except ImportError as error:
        raise UsageError(
            "a SOCKS proxy is set in ALL_PROXY, HTTPS_PROXY or HTTP_PROXY, which takes the package "
            "socksio: install that, or set another kind of proxy"
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise UsageError(
            "what is set in ALL_PROXY, HTTPS_PROXY, HTTP_PROXY or NO_PROXY is no address: "
            "put that right, or unset it"
        ) from error
    except OSError as error:
        raise UsageError(
            "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: "
            "put that right, or unset it"
        ) from error


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
    except UnicodeError as error:  # what a redirect to an impossible host ends in
        raise DownloadFailed(f"{name} names a place that cannot be") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadFailed(f"{name} cannot be reached") from error


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE")


def _endpoint_parts() -> SplitResult | None:
    address = os.environ.get(ENDPOINT_VARIABLE, "").rstrip("/")
    if not address:
        return None
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not address.isprintable():
        raise DownloadFailed(
            f"{ENDPOINT_VARIABLE} is no address: unset it, or set it to one such as "
            "https://huggingface.co"
        )
    return parts


def _authorization() -> str | None:
    """Name and password where the hub's address has them, else the token."""
    parts = _endpoint_parts()
    if parts is not None and parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return f"Basic {b64encode(login.encode()).decode('ascii')}"
    token = hub_token()
    return f"Bearer {token}" if token else None
