"""Which requests belong together, so that they meet the context that one replica has encoded."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION = "x-session-id"
"""The header by which a client may say it; Ray's name."""

TEXTS = ("prefix", "input_prefix", "prompt")
"""Where requests of one kind or another hold the text before the hole."""

TELLING = 200
"""Characters at the beginning of a text that tell a document from others well enough."""


def session_key(caller: str, headers: Mapping[str, str], body: bytes) -> str:
    """A key that requests of one caller about one document share.

    Goes by the client's own header, else by the document that the request names, else by how the
    text before the hole begins. It is a digest: it is logged, and nobody's text may be.

    Args:
        caller: whose request it is; nobody shares a key with another caller.
        headers: of the request; names in lower case.
        body: of the request. What is no JSON object has a key, too.
    """
    return sha256("\0".join((caller, *_told(headers, body))).encode()).hexdigest()[:32]


def _told(headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    if session := headers.get(SESSION):
        return "session", session
    try:
        form = json.loads(body)
    except ValueError:
        form = None
    if not isinstance(form, dict):
        return "", ""
    if (document := form.get("document")) and isinstance(document, str):
        return "document", _valid(document)
    for name in TEXTS:
        if (text := form.get(name)) and isinstance(text, str):
            return "text", _valid(text[:TELLING])
    return "", ""


def _valid(text: str) -> str:
    """JSON can spell lone surrogates, which have no UTF-8 form."""
    return text.encode(errors="replace").decode()
