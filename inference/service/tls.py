"""TLS of the engine itself."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the certificate with those that lead to its authority, and its key."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or later, with what OpenSSL thinks good.

        Raises:
            UsageError: a file cannot be read, or the two do not belong together.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for file in (self.certificate, self.key):
            try:
                file.open("rb").close()
            except OSError as error:
                raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
        try:
            # Without a password of ours OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: b"")
        except (ssl.SSLError, OSError) as error:
            raise UsageError(
                f"{self.certificate} and {self.key} are no certificate in PEM form and its key, "
                "without a password"
            ) from error
        return context
