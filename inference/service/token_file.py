"""The file of those who may ask: ``NAME TOKEN`` or ``NAME sha256:DIGEST``, one a line."""

from __future__ import annotations

import logging
import os
import re
import secrets
import stat
import sys
import tempfile
from pathlib import Path

from midfill.inference.errors import UsageError
from midfill.inference.service.callers import Credential, digest_of

log = logging.getLogger(__name__)

HASHED = "sha256:"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class TokenFile:
    """Who may ask; read again whenever the file changes.

    Blank lines and lines that begin with ``#`` are left out. When the file goes bad or blank later,
    what it held before stays good, and the log says so; comments alone let nobody in.

    Raises:
        UsageError: it cannot be read, a line has another form, or it lets nobody in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._present_stamp()
        self._credentials = self._read()
        if not self._credentials:
            raise UsageError(_no_token(path))

    def warn_of_readers(self) -> None:
        """Say so in the log if everybody on this machine can read the file."""
        if sys.platform != "win32" and self._path.stat().st_mode & stat.S_IROTH:
            log.warning("%s can be read by everybody on this machine: chmod 600 it", self._path)

    def __call__(self) -> tuple[Credential, ...]:
        """Those that are good now."""
        try:
            stamp = self._present_stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                self._credentials = self._read()
                log.info("%s changed: %d tokens", self._path, len(self._credentials))
        except UsageError as error:
            if self._stamp is not None:
                log.warning("%s; the tokens from before stay good", error)
            self._stamp = None  # say it once, and read it when it is there again
        return self._credentials

    def _present_stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError as error:
            raise UsageError(
                f"cannot read the token file {self._path}: {error.strerror}"
            ) from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> tuple[Credential, ...]:
        text = _read_text(self._path)
        if not text.strip():  # as while an editor writes it
            raise UsageError(_no_token(self._path))
        return parse_tokens(text, str(self._path))


def parse_tokens(text: str, where: str) -> tuple[Credential, ...]:
    """Read a token file's text.

    Raises:
        UsageError: a line has another form, or a name has two tokens.
    """
    credentials: dict[str, Credential] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise UsageError(f"{where}, line {number}: write NAME TOKEN, two words")
        name, token = words
        if name in credentials:
            raise UsageError(f"{where}, line {number}: {name} has a token already")
        credentials[name] = _credential(name, token, f"{where}, line {number}")
    return tuple(credentials.values())


def new_token(path: Path, name: str) -> str:
    """Add somebody to a token file, which is made with mode 0600 if it is not there.

    Only the token's digest is written.

    Returns:
        the token, which nobody can find out again.

    Raises:
        UsageError: the name is taken or has another form, or the file cannot be written.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name: use letters, digits and . _ @ -")
    text = _read_text(path) if path.exists() else ""
    if any(known.name == name for known in parse_tokens(text, str(path))):
        raise UsageError(f"{name} has a token already: revoke it first")
    token = secrets.token_urlsafe(32)
    before = text if not text or text.endswith("\n") else f"{text}\n"
    _replace(path, f"{before}{name} {HASHED}{digest_of(token).hex()}\n")
    return token


def revoke(path: Path, name: str) -> None:
    """Take somebody out of a token file; everything else in it stays as it is.

    Raises:
        UsageError: they are not in it, or it cannot be written.
    """
    lines = _read_text(path).splitlines(keepends=True)
    kept = [line for line in lines if line.split()[:1] != [name]]
    if len(kept) == len(lines):
        raise UsageError(f"{name} has no token in {path}")
    if not "".join(kept).strip():
        kept = ["# Nobody has a token.\n"]  # a blank file would pass for a damaged one
    _replace(path, "".join(kept))


def _no_token(path: Path) -> str:
    return (
        f"{path} holds no token: write NAME TOKEN, one a line, "
        f"or run `midfill token new NAME --token-file {path}`"
    )


def _credential(name: str, token: str, where: str) -> Credential:
    if not token.startswith(HASHED):
        return Credential.of(name, token)
    try:
        digest = bytes.fromhex(token.removeprefix(HASHED))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise UsageError(f"{where}: after {HASHED} there must be 64 hexadecimal digits")
    return Credential(name, digest)


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the token file {path}: is it UTF-8 text, and yours to read?"
        ) from error


def _replace(path: Path, text: str) -> None:
    """Write a file in one step; its owner and mode stay what they were, else 0600."""
    path = path.resolve()
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as new:
                if sys.platform != "win32" and path.exists():
                    was = path.stat()
                    os.fchown(handle, was.st_uid, was.st_gid)
                    os.fchmod(handle, stat.S_IMODE(was.st_mode))
                new.write(text)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
