"""Asking the user about a licence that is not permissive."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from midfill.inference.errors import UsageError, WeightsMissing

if TYPE_CHECKING:
    from midfill.inference.downloads.repository.licence import Licence


def ask_about(licence: Licence, model: str, *, accepted: bool) -> None:
    """Show a licence and have the user agree to it.

    Args:
        licence: one that is not permissive.
        model: what it is the licence of.
        accepted: whether the user has agreed on the command line.

    Raises:
        UsageError: there is nobody to ask.
        WeightsMissing: the user does not agree.
    """
    print(f"{model} is under the licence {licence.name}: {licence.link}", file=sys.stderr)
    if accepted:
        return
    if not somebody_is_there():
        raise UsageError(
            f"the licence of {model} ({licence.name}) is not a permissive one: read it at "
            f"{licence.link}, then add --accept-licence if you agree to it"
        )
    if not typer.confirm("Do you agree to it?", default=False, err=True):
        raise WeightsMissing(
            f"{model} has not been pulled, as its licence has not been agreed to: "
            "choose another model, or run the command again"
        )


def somebody_is_there() -> bool:
    """Whether a person can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()
