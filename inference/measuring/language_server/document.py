"""A document as an editor holds it, and its edits as the protocol writes them."""

from __future__ import annotations

from typing import Any


class Document:
    """One open document with line feeds alone; positions go out in UTF-16 units."""

    def __init__(self, uri: str, language: str, text: str) -> None:
        self.uri = uri
        self.language = language
        self.text = text
        self.version = 1

    def replace(self, start: int, end: int, text: str) -> dict[str, Any]:
        """Put other text in place of some characters; the parameters of ``didChange``."""
        change = {
            "range": {"start": self.position(start), "end": self.position(end)},
            "text": text,
        }
        self.text = self.text[:start] + text + self.text[end:]
        self.version += 1
        identifier = {"uri": self.uri, "version": self.version}
        return {"textDocument": identifier, "contentChanges": [change]}

    def position(self, offset: int) -> dict[str, int]:
        start = self.text.rfind("\n", 0, offset) + 1
        before = self.text[start:offset]
        units = len(before) + sum(character > "\uffff" for character in before)
        return {"line": self.text.count("\n", 0, start), "character": units}
