"""An engine elsewhere, which the user has named: it is reached or it is not; none is started."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from midfill.inference.endpoint import name_of, parse_endpoint
from midfill.inference.errors import MidfillError, Unauthorized
from midfill.inference.transport import Address, TcpAddress, TlsAddress
from midfill.inference.version import version
from midfill.lsp.endpoint_token import authorized
from midfill.lsp.engine_client import EngineClient

if TYPE_CHECKING:
    from midfill.lsp.engine_link import Endpoint


class AnotherVersion(MidfillError):
    """The server and this installation do not understand each other."""

    code = "another-version"


def address_of(endpoint: Endpoint) -> Address:
    """Where it is, with the token for it; may wait for the keyring.

    Raises:
        UsageError: the endpoint or the token file is not what it should be.
    """
    return authorized(parse_endpoint(endpoint.url), endpoint.token_file)


async def reach_team_engine(endpoint: Endpoint) -> EngineClient:
    """A client of the server.

    Raises:
        UsageError: the endpoint or the token file is not what it should be.
        EngineUnavailable: it does not answer, or its certificate is wrong.
        Unauthorized: it does not take the token.
        AnotherVersion: it runs another version.
        MidfillError: whatever else it refuses.
    """
    address = await asyncio.to_thread(address_of, endpoint)
    client = await asyncio.to_thread(EngineClient, address)  # reads the system's certificates
    try:
        met = await client.health()
        if met.version != version():
            raise AnotherVersion(
                f"{name_of(address)} runs Midfill {met.version}, and this is {version()}: "
                "install the same"
            )
    except Unauthorized:
        await client.aclose()
        raise Unauthorized(_about_token(address)) from None
    except MidfillError:
        await client.aclose()
        raise
    return client


def _about_token(address: Address) -> str:
    name = name_of(address)
    if isinstance(address, TcpAddress | TlsAddress) and not address.token:
        return f"{name} wants a token: run `midfill token store {name}`"
    return f"{name} does not take your token: it is wrong or has been revoked"
