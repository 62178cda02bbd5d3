"""What `midfill doctor` finds at a server elsewhere."""

from __future__ import annotations

from midfill.inference.endpoint import name_of, parse_endpoint
from midfill.inference.errors import MidfillError, Unauthorized, UsageError
from midfill.inference.version import version
from midfill.inference.wire import EngineState
from midfill.lsp.doctor_checks import Finding, Status
from midfill.lsp.endpoint_token import authorized
from midfill.lsp.running_engine import health_at


def check_endpoint(url: str, token_file: str = "") -> Finding:
    """Whether a server can be used with the settings ``endpoint`` and ``endpointTokenFile``."""
    try:
        address = authorized(parse_endpoint(url), token_file)
    except UsageError as error:
        return Finding("endpoint", Status.WRONG, "unusable", str(error))
    name = name_of(address)
    try:
        health = health_at(address)
    except Unauthorized as error:
        return Finding("endpoint", Status.WRONG, name, f"{error}; see `midfill token store`")
    except MidfillError as error:
        return Finding("endpoint", Status.WRONG, name, str(error))
    value = f"{name}, {health.state}, version {health.version}, model {health.model}"
    if health.version != version():
        return Finding("endpoint", Status.WRONG, value, f"this is {version()}: install the same")
    if health.state is EngineState.FAILED:
        return Finding("endpoint", Status.WRONG, value, health.detail)
    return Finding("endpoint", Status.OK, value)
