"""``midfill lsp``: the language server on standard input and output, started quickly."""

from __future__ import annotations

import gc
import sys

from midfill.lsp import quiet_logging


def main() -> None:
    """Serve one editor until it leaves."""
    quiet_logging.set_up()
    protocol_output = sys.stdout.buffer
    sys.stdout = sys.stderr  # a stray print must not end up in the protocol

    # The protocol's hundreds of types are all made while the editor waits, and all of them stay:
    # looking through them for garbage takes a fifth of that time and finds none.
    gc.disable()
    from midfill.lsp.language_server import create_server

    server = create_server()
    gc.freeze()
    gc.enable()

    server.start_io(sys.stdin.buffer, protocol_output)
