"""What goes wrong with a server, as one line for people.

What the server itself says about an error is not passed on: it may quote the text it was sent.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, EngineUnavailable, MidfillError, UsageError
from midfill.inference.vllm.access import VARIABLE

if TYPE_CHECKING:
    from midfill.inference.vllm.network import ProxyServer

DENIED = (401, 403)
TOO_MANY = 429


def out_of_reach(host: str, error: Exception, proxy: ProxyServer | None) -> EngineUnavailable:
    """No connection comes about, such as to a name that nobody has."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return EngineUnavailable(
                f"the vLLM server at {host} has no certificate that this machine trusts: give "
                "SSL_CERT_FILE the one of its authority, or use the address it is made out for"
            )
        cause = cause.__cause__ or cause.__context__
    if proxy is not None:
        return EngineUnavailable(
            f"the vLLM server at {host} cannot be reached through the proxy {proxy.host} that "
            f"{proxy.variable} names: see that both are up, or put the server into NO_PROXY"
        )
    return EngineUnavailable(
        f"the vLLM server at {host} cannot be reached: start it, or correct its address"
    )


def broke_off(host: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"the vLLM server at {host} stopped half way through an answer: its own log says why"
    )


def silent(host: str, seconds: float) -> EngineUnavailable:
    return EngineUnavailable(
        f"the vLLM server at {host} has not answered within {seconds:.0f} s: "
        "see whether it is still loading, or overloaded"
    )


def garbled(host: str, path: str, what: str) -> EngineUnavailable:
    """An answer that is none of vLLM's.

    Args:
        host: the server.
        path: what was asked.
        what: is wrong; never quotes the answer.
    """
    return EngineUnavailable(
        f"the server at {host} answers {path} {what}: see whether it is a vLLM server"
    )


def refusal(host: str, path: str, status: int) -> MidfillError:
    """An answer with another status than 200."""
    if status in DENIED:
        return UsageError(
            f"the vLLM server at {host} refuses the API key ({status}): put the right one into "
            f"{VARIABLE}, or into the keyring"
        )
    if status == TOO_MANY:
        return EngineBusy(f"the vLLM server at {host} has too many requests: ask again later")
    if 300 <= status < 400:
        return EngineUnavailable(
            f"the vLLM server at {host} redirects ({status}), which is not followed: "
            "use the address it redirects to"
        )
    if status == 404:
        return UsageError(
            f"the server at {host} has no {path}, or no longer the model: see that it is a vLLM "
            "server, and that a proxy in front of it passes that path on"
        )
    if status >= 500:
        return EngineUnavailable(
            f"the vLLM server at {host} fails ({status} for {path}): its own log says why"
        )
    return EngineUnavailable(
        f"the vLLM server at {host} refuses what Midfill asks ({status} for {path}): "
        "see docs/vllm.md for the versions and options that go together"
    )
