"""``midfill token``: who may use a team's server, and the token for one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Tokens of a team's server: give out, revoke, and keep the one for it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

TokenFileOption = Annotated[Path, typer.Option(help="The file that `midfill serve` is given.")]
Name = Annotated[str, typer.Argument(help="Whose token it is.")]


@app.command()
def new(name: Name, token_file: TokenFileOption) -> None:
    """Give somebody a token, printed this once; the file keeps only what it can be known by."""
    from midfill.inference.service.token_file import new_token

    print(new_token(token_file, name))
    print(
        f"{name} may use the server now; the token is not shown again",
        file=sys.stderr,
    )


@app.command()
def revoke(name: Name, token_file: TokenFileOption) -> None:
    """Take somebody's token back; a running server knows at once."""
    from midfill.inference.service.token_file import revoke as revoke_token

    revoke_token(token_file, name)


@app.command()
def store(
    endpoint: Annotated[str, typer.Argument(help="The server, as in midfill.endpoint.")],
) -> None:
    """Keep the token for a server in the system's keyring; it is asked for, or read from a pipe."""
    from midfill.inference.endpoint import parse_endpoint
    from midfill.lsp.endpoint_token import store as store_token

    address = parse_endpoint(endpoint)
    if sys.stdin.isatty():
        token = typer.prompt("Token", hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    store_token(address, token.strip())
