"""What Emacs tells the server of its edits makes the server's text the buffer's."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from installed import installed_by
from lsprotocol import types
from pygls.workspace import PositionCodec, TextDocument

HERE = Path(__file__).parent


def test_the_server_has_the_buffers_text_after_any_edit() -> None:
    emacs = installed_by("get-emacs-30", "emacs-30", "bin/emacs")
    load = ["-L", HERE.parents[1] / "editors" / "emacs", "-l", HERE / "emacs_edits.el"]
    language = {**os.environ, "LC_ALL": "C.UTF-8"}
    command = [emacs, "-Q", "--batch", *load]
    done = subprocess.run(command, capture_output=True, timeout=60, env=language)
    assert done.returncode == 0, done.stderr.decode()
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    [opened] = steps[0]["told"]
    document = TextDocument(
        opened["textDocument"]["uri"],
        opened["textDocument"]["text"],
        sync_kind=types.TextDocumentSyncKind.Incremental,
        position_codec=PositionCodec(types.PositionEncodingKind.Utf32),
    )
    pieces = 0
    for version, step in enumerate(steps[1:], 1):
        assert len(step["told"]) <= 1
        for told in step["told"]:
            for change in told["contentChanges"]:
                document.apply_change(_as_change(change))
                pieces += "range" in change
        assert document.source == step["text"], f"after edit {version}"
    assert pieces > 10, "all of the text is told only where Emacs announces more than it changes"


def _as_change(change: dict) -> types.TextDocumentContentChangeEvent:
    if "range" not in change:
        return types.TextDocumentContentChangeWholeDocument(change["text"])
    ends = [types.Position(**change["range"][end]) for end in ("start", "end")]
    return types.TextDocumentContentChangePartial(types.Range(*ends), change["text"])
