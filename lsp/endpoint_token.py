"""The token for a server elsewhere: from the environment, a file or the keyring; not settings."""

from __future__ import annotations

import importlib
import os
import re
import stat
import sys
from pathlib import Path

from midfill.inference.endpoint import name_of, with_token
from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.transport import Address, TcpAddress, TlsAddress

VARIABLE = "MIDFILL_TOKEN"
SERVICE = "midfill"
"""What tokens are filed under in the keyring, with the endpoint as the user."""

PRINTABLE = re.compile(r"[\x21-\x7e]+")
"""What a header can carry; a library's error about anything else would quote the token."""


def authorized(address: Address, token_file: str = "") -> Address:
    """The address with its token, if one is to be found; ``MIDFILL_TOKEN`` goes first.

    Raises:
        UsageError: the file cannot be read, or by others, too; or the token cannot be sent.
    """
    if not isinstance(address, TcpAddress | TlsAddress):
        return address
    token, source = os.environ.get(VARIABLE, "").strip(), VARIABLE
    if not token and token_file:
        path = Path(token_file).expanduser()
        token, source = _from_file(path), str(path)
    if not token and not token_file:
        token, source = _from_keyring(name_of(address)).strip(), "the keyring"
    if token and not PRINTABLE.fullmatch(token):
        raise UsageError(f"the token in {source} holds blanks or is not ASCII: set it anew")
    return with_token(address, token)


def store(address: Address, token: str) -> None:
    """Keep a token in the keyring.

    Raises:
        MidfillError: there is no keyring, or it refuses.
    """
    if not PRINTABLE.fullmatch(token):
        raise UsageError("a token is one word of ASCII characters")
    try:
        keyring = importlib.import_module("keyring")
        keyring.set_password(SERVICE, name_of(address), token)
    except ImportError:
        raise MidfillError(
            "there is no keyring here: install midfill[keyring], or put the token into a file of "
            "mode 0600 and name it in midfill.endpointTokenFile"
        ) from None
    except Exception as error:  # each backend raises its own, which may quote the token
        raise MidfillError(
            f"the keyring does not take the token ({type(error).__name__}): put it into a file of "
            "mode 0600 and name it in midfill.endpointTokenFile"
        ) from None


def _from_file(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            text = file.read(10_000).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"cannot read the token file {path}: {why}") from error
    if sys.platform != "win32" and stat.S_IMODE(found.st_mode) & 0o077:
        raise UsageError(f"the token file {path} can be read by others: chmod 600 it")
    if not text:
        raise UsageError(f"the token file {path} is empty")
    return text


def _from_keyring(name: str) -> str:
    try:
        keyring = importlib.import_module("keyring")
        return keyring.get_password(SERVICE, name) or ""
    except Exception:  # there is none, or its backend fails in its own way
        return ""
