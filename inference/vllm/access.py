"""The key that a server may ask for: from the environment, else from the keyring.

It goes into one header of the requests to that server.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from midfill.inference.errors import UsageError
from midfill.inference.vllm.network import is_loopback, proxy_for

log = logging.getLogger(__name__)

VARIABLE = "MIDFILL_VLLM_API_KEY"
SERVICE = "midfill"
"""What the key is filed under in the keyring, with the server's base address as the user."""

PRINTABLE = re.compile(r"[\x21-\x7e]+")
"""What a header can carry; a library's error about anything else would quote the key."""

_warned_of: set[str] = set()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that prints as nothing."""

    secret: str = field(repr=False)

    def __str__(self) -> str:
        return "ApiKey(…)"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


def api_key(address: str) -> ApiKey | None:
    """The key for the server at a base address, if there is one.

    Raises:
        UsageError: it holds what no header can carry.
    """
    secret, source = os.environ.get(VARIABLE, "").strip(), VARIABLE
    if not secret:
        secret, source = _from_keyring(address).strip(), "the keyring"
    if not secret:
        return None
    if not PRINTABLE.fullmatch(secret):
        raise UsageError(
            f"the API key in {source} holds blanks or characters outside of ASCII: set it anew"
        )
    return ApiKey(secret)


def warn_of_open_transport(address: str, host: str) -> None:
    """Say once for each host that source text travels to it unencrypted."""
    if urlsplit(address).scheme != "http" or is_loopback(address) or host in _warned_of:
        return
    _warned_of.add(host)
    proxy = proxy_for(address)
    log.warning(
        "what is sent to the vLLM server at %s is not encrypted%s; https:// would be",
        host,
        f", and the proxy {proxy.host} can read it and the key" if proxy else "",
    )


def _from_keyring(address: str) -> str:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return ""
    try:
        return keyring.get_password(SERVICE, address) or ""
    except Exception as error:  # each backend raises its own
        log.info("the keyring gives no key (%s)", type(error).__name__)
        return ""
