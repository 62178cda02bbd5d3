"""The language server with every logger at its most talkative."""

from __future__ import annotations

import logging

from midfill.lsp import quiet_logging, server

set_up = quiet_logging.set_up


def set_up_loudly() -> None:
    set_up()
    for name in ("", "midfill", "pygls", "asyncio", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.DEBUG)


if __name__ == "__main__":
    quiet_logging.set_up = set_up_loudly
    server.main()
