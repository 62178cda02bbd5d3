"""What the tests of context share: a folder with files, open documents, and pieces of text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.lsp.context.errands import ErrandRunner
from midfill.lsp.context.line_changes import line_changes
from midfill.lsp.context.open_texts import StoredTexts
from midfill.lsp.context.snippet import Origin, Snippet, Stability, stripped_lines
from midfill.lsp.context.sources import ContextSettings, Sources
from midfill.lsp.context.words import words_of
from midfill.lsp.documents import DocumentStore

if TYPE_CHECKING:
    from pathlib import Path


def piece(
    text: str,
    score: float = 0.5,
    stability: Stability = Stability.VISITED,
    path: str = "a.py",
) -> Snippet:
    """A snippet of some text."""
    return Snippet(
        Origin(f"/w/{path}", path), text, score, stability, words_of(text), stripped_lines([text])
    )


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Workspace:
    """A folder that is open in an editor, and all that hears of what happens in it."""

    folder: Path
    settings: ContextSettings = field(default_factory=lambda: ContextSettings(tokens=400))
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.store = DocumentStore(
            None, workspace_folders=[types.WorkspaceFolder(self.folder.as_uri(), "w")]
        )
        self.texts = StoredTexts(self.store)
        self.sources = Sources(self.texts, lambda: self.store.policy, self.settings, self.clock)
        self.runner = ErrandRunner()

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def open(self, name: str, text: str | None = None, language: str = "") -> str:
        """Open a document with this text, or that of the file."""
        uri = self.uri(name)
        if text is None:
            text = (self.folder / name).read_text()
        self.store.put_text_document(types.TextDocumentItem(uri, language, 1, text))
        if self.store.opened(uri) is not None:
            self.sources.opened(uri)
        return uri

    def close(self, uri: str) -> None:
        self.store.remove_text_document(uri)
        self.sources.closed(uri)

    def replace(self, uri: str, first: int, last: int, text: str) -> None:
        """Put ``text`` in place of lines ``first`` up to ``last``, without the latter's break."""
        lines = self.store.opened(uri).lines  # type: ignore[union-attr]
        end = types.Position(last, len(lines[last].rstrip("\n")))
        change = types.TextDocumentContentChangePartial(
            range=types.Range(types.Position(first, 0), end), text=text
        )
        self.store.update_text_document(types.VersionedTextDocumentIdentifier(2, uri), change)
        self.sources.changed(uri, line_changes([change]))

    def look_up(self, uri: str) -> None:
        """Do what is otherwise done in the background."""
        self.sources.take(self.runner.run(self.sources.errand(uri)))

    def context(self, uri: str, line: int) -> dict[str, str]:
        """The texts that a request gets, by their paths."""
        return {file.path: file.text for file in self.sources.files_for(uri, line)}


def functions(prefix: str, count: int) -> str:
    """So many small functions, each of them of its own words."""
    return "".join(
        f"def {prefix}_{n}(value_{prefix}_{n}):\n"
        f"    result_{prefix}_{n} = value_{prefix}_{n} + {n}\n"
        f"    return result_{prefix}_{n}\n\n"
        for n in range(count)
    )
