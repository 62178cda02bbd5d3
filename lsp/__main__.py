"""The ``midfill`` command.

``midfill lsp`` is dispatched before the command line's own libraries load: an editor waits for it.
"""

from __future__ import annotations

import sys


def main() -> None:
    if sys.argv[1:] == ["lsp"]:
        from midfill.lsp.server import main as serve_editor

        serve_editor()
        return
    from midfill.lsp.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
