"""``midfill doctor``: what is installed, what is slow, what is wrong, and what to do about it."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from midfill.inference.version import version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.lsp.doctor_checks import Finding

_STYLES = {"ok": "green", "slow": "yellow", "wrong": "bold red"}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    endpoint: Annotated[
        str, typer.Option(help="Look at this server, too; as in the setting midfill.endpoint.")
    ] = "",
    endpoint_token_file: Annotated[
        str, typer.Option(help="Where its token stands; as in midfill.endpointTokenFile.")
    ] = "",
) -> None:
    """Look at this machine: what is installed, what is slow, what is wrong.

    Ends with status 1 if something is wrong.
    """
    from midfill.lsp.doctor_checks import CHECKS, Machine, Status

    machine = Machine()
    findings = [check(machine) for check in CHECKS]
    if endpoint:
        from midfill.lsp.doctor_endpoint import check_endpoint

        findings.append(check_endpoint(endpoint, endpoint_token_file))
    if json:
        report = {"version": version(), "checks": [asdict(finding) for finding in findings]}
        print(json_format.dumps(report, indent=2))
    else:
        _print(findings)
    if any(finding.status is Status.WRONG for finding in findings):
        raise typer.Exit(1)


def _print(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Midfill {version()}", markup=False)
    for finding in findings:
        line = Text(f"{finding.status:<6}", _STYLES[finding.status])
        line.append(f"{finding.name:<14}{finding.value}", "default")
        console.print(line)
        if finding.advice:
            console.print(Text(f"{'':20}{finding.advice}", "italic"))
