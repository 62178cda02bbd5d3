"""Who asks: tokens are compared by their digests, all of them every time."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

CALLER = "midfill.caller"
"""Where an ASGI scope holds the name of whoever asks; "" for the one user of a socket."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A caller's name and the SHA-256 of their token, so that the token itself is not kept."""

    name: str
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, token: str) -> Credential:
        return cls(name, digest_of(token))


def caller_of(scope: Scope) -> str:
    """Who asks."""
    return str(scope.get(CALLER, ""))


def digest_of(token: str) -> bytes:
    """(32 bytes.) Tokens are long and random, so a slow hash would protect nothing more."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def whose(token: str, credentials: Iterable[Credential]) -> Credential | None:
    """The credential that a shown token fits.

    Both sides have equal length and all are compared, so that the time taken tells nothing.
    """
    shown = digest_of(token)
    found = None
    for credential in credentials:
        if hmac.compare_digest(shown, credential.digest):
            found = credential
    return found
