"""All that the model may see besides the document: where it comes from, and what a request gets."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.lsp.context.copied_text import CopiedText
from midfill.lsp.context.errands import Errand, Findings
from midfill.lsp.context.freshness import PAUSE, Moment, is_time
from midfill.lsp.context.imported_definitions import ImportedDefinitions, Importer
from midfill.lsp.context.open_texts import file_of, shown_path
from midfill.lsp.context.plan import ContextPlan
from midfill.lsp.context.readable_files import ReadableFiles
from midfill.lsp.context.recent_edits import RecentEdits
from midfill.lsp.context.snippet import Origin, Snippet, Stability
from midfill.lsp.context.tokens import CHARACTERS_PER_TOKEN
from midfill.lsp.context.view import View, view_at
from midfill.lsp.context.visited_files import VisitedFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from midfill.inference.exclusion.policy import ExclusionPolicy
    from midfill.inference.wire import ContextFile
    from midfill.lsp.context.open_texts import OpenTexts
    from midfill.lsp.context.recent_edits import LineChange
    from midfill.lsp.context.snippet import Provider

DEFAULT_TOKENS = 0
"""With the embedded model on a CPU more costs time and shows no gain; see ``docs/context.md``."""

DEFINITIONS_SHARE, VISITED_SHARE, EDITS_SHARE, COPIED_SHARE = 0.75, 0.6, 0.4, 0.4
"""How much of the whole budget each source may offer; they compete for it."""


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """What the user wants the model to see of other files.

    Attributes:
        tokens: for all of it, about; 0 for nothing.
        imports: whether definitions behind imports are among it,
        visited: pieces of open and visited files,
        edits: and places that were edited lately.
        clipboard: whether what was copied last may be.
        characters_per_token: what the budget is estimated by.
    """

    tokens: int = DEFAULT_TOKENS
    imports: bool = True
    visited: bool = True
    edits: bool = True
    clipboard: bool = False
    characters_per_token: float = CHARACTERS_PER_TOKEN


class Sources:
    """Hears what happens to documents, and knows what to show of them. Belongs to the event loop.

    Args:
        texts: the open documents.
        policy: gives what is never to be read, as it is now. Asked on the event loop.
        settings: the user's.
        clock: in seconds.
    """

    def __init__(
        self,
        texts: OpenTexts,
        policy: Callable[[], ExclusionPolicy],
        settings: ContextSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._texts = texts
        self._policy = policy
        self._clock = clock
        self._definitions = ImportedDefinitions(0)
        self._visited = VisitedFiles(texts, self._origin_of, 0)
        self._edits = RecentEdits(texts, self._origin_of, 0)
        self._copied = CopiedText(0, clock=clock)
        self._open: dict[str, str] = {}  # URIs by path
        self._chosen_at: dict[str, Moment] = {}
        self._at: tuple[str, int] | None = None  # where the last request came from
        self._present: dict[str, frozenset[str]] = {}  # lines of open documents, until they change
        self._allowed: dict[str, bool] = {}  # files, for the request at hand
        self._forgotten: set[str] = set()  # files, since the last errand
        self._last_key = clock()
        self._pauses = 0
        self.go_by(settings or ContextSettings())

    @property
    def wanted(self) -> bool:
        """Whether there is to be any context; if not, nothing needs to be looked up."""
        return self._settings.tokens > 0

    def go_by(self, settings: ContextSettings) -> None:
        """The user's settings are these from now on; what was chosen before is let go."""
        self._settings = settings
        providers: tuple[tuple[bool, float, Provider], ...] = (
            (settings.imports, DEFINITIONS_SHARE, self._definitions),
            (settings.visited, VISITED_SHARE, self._visited),
            (settings.edits, EDITS_SHARE, self._edits),
            (settings.clipboard, COPIED_SHARE, self._copied),
        )
        for _, share, provider in providers:
            provider.tokens = int(share * settings.tokens)
        self._providers = tuple(provider for wanted, _, provider in providers if wanted)
        self._copied.switch(wanted=settings.clipboard)
        self._plan = ContextPlan(
            self._candidates, self._holds, settings.tokens, settings.characters_per_token
        )
        self._chosen_at.clear()
        for uri in self._open.values() if self.wanted else ():
            self._visited.visited(uri)

    def opened(self, uri: str) -> None:
        """A document was opened."""
        self._open[file_of(uri)] = uri
        if self.wanted:
            self._visited.visited(uri)

    def changed(self, uri: str, changes: Sequence[LineChange] | None) -> None:
        """A document was changed; None: as a whole."""
        now = self._clock()
        self._pauses += now - self._last_key >= PAUSE
        self._last_key = now
        self._present.pop(uri, None)
        self._visited.edited(uri)
        if changes is None:
            self._edits.forget(uri)
        for change in changes or ():
            self._edits.changed(uri, change)

    def touched(self, uri: str, changes: Sequence[LineChange]) -> list[str]:
        """The lines that changes have just written."""
        lines = self._texts.lines_of(uri) or ()
        return [
            line for change in changes for line in lines[change.first : change.first + change.lines]
        ]

    def closed(self, uri: str) -> None:
        """A document was closed."""
        self._open.pop(file_of(uri), None)
        self._present.pop(uri, None)
        self._chosen_at.pop(uri, None)
        self._edits.forget(uri)
        self._visited.closed(uri)
        self._definitions.closed(uri)
        self._plan.forget(uri)

    def forget(self, uri: str) -> None:
        """A document must not be seen any more."""
        self.closed(uri)
        self._visited.forget(uri)
        self._definitions.forget(file_of(uri))
        self._copied.forget(file_of(uri))
        self._plan.drop(file_of(uri))
        self._forgotten.add(file_of(uri))

    def copied(self, text: str, uri: str = "") -> None:
        """Something was copied, from a document if its URI is told."""
        if not uri or self._texts.may_be_read(uri):
            self._copied.copied(text, file_of(uri) if uri else "")

    def files_for(self, uri: str, line: int) -> tuple[ContextFile, ...]:
        """The context of a request at a line of a document, most stable first.

        The same again and again until it is time for another, or some of it does not hold.
        """
        lines = self._texts.lines_of(uri)
        if lines is None or not self.wanted:
            return ()
        self._allowed.clear()
        self._come_to(uri, line)
        view = view_at(uri, lines, line)
        pause = self._clock() - self._last_key >= PAUSE
        now = Moment(view.line, self._definitions.imports(uri), self._pauses + pause)
        fresh = is_time(self._chosen_at.get(uri), now)
        if fresh:
            self._chosen_at[uri] = now
        return self._plan.files(view, fresh=fresh)

    def errand(self, uri: str) -> Errand:
        """What there is to look up for a document; to be run before another is asked for."""
        from midfill.inference.syntax.grammars import grammar_for

        texts = self._texts.by_path()
        file = file_of(uri)
        grammar = grammar_for(self._texts.language_of(uri), file)
        text = texts.get(file)
        importer = Importer(file, grammar, text, texts) if grammar and text is not None else None
        closed = tuple((uri, file_of(uri)) for uri in self._visited.to_be_found())
        forgotten, self._forgotten = frozenset(self._forgotten), set()
        rules = self._policy().rules
        return Errand(uri, importer, closed, forgotten, self._texts.folders, rules)

    def take(self, findings: Findings) -> None:
        """Take over what an errand found."""
        if findings.found is not None and file_of(findings.uri) in self._open:
            self._definitions.found(findings.uri, findings.found)
        for uri, lines, stamp in findings.closed:
            self._visited.found(uri, lines, stamp)

    def _come_to(self, uri: str, line: int) -> None:
        """Remember where the user is, and where they were."""
        if self._at is not None and self._at[0] != uri and self._at[0] in self._open.values():
            self._visited.visited(*self._at)
        if self._at is None or self._at[0] != uri:
            self._visited.visited(uri, line)
        self._at = uri, line

    def _candidates(self, at: View) -> Iterator[Snippet]:
        file = file_of(at.uri)
        for provider in self._providers:
            for snippet in provider.snippets(at):
                # What a document defines itself is never behind its imports.
                if snippet.origin.file != file or snippet.stability is not Stability.DEFINITIONS:
                    yield snippet

    def _holds(self, snippet: Snippet) -> bool:
        """Whether a piece still says what its file says, and may be read."""
        file = snippet.origin.file
        if snippet.stability is Stability.COPIED:
            return self._copied.holds(snippet) and (not file or self._may_be_read(file))
        if not self._may_be_read(file):
            return False
        uri = self._open.get(file)
        if uri is not None and snippet.stability is Stability.DEFINITIONS:
            return snippet.made_of <= self._lines_now(uri)
        if uri is not None:
            return snippet.text in (self._texts.text_of(uri) or "")
        return snippet.stamp is not None and self._readable().stamp(file) == snippet.stamp

    def _may_be_read(self, file: str) -> bool:
        """Looked up once for all pieces of a file that one request asks for."""
        allowed = self._allowed.get(file)
        if allowed is None:
            uri = self._open.get(file)
            if uri is not None:
                allowed = self._texts.may_be_read(uri)
            else:
                allowed = self._policy().reason_against(file, self._texts.folders) is None
            self._allowed[file] = allowed
        return allowed

    def _readable(self) -> ReadableFiles:
        return ReadableFiles(self._policy(), self._texts.folders)

    def _lines_now(self, uri: str) -> frozenset[str]:
        present = self._present.get(uri)
        if present is None:
            lines = self._texts.lines_of(uri) or ()
            present = self._present[uri] = frozenset(line.strip() for line in lines)
        return present

    def _origin_of(self, uri: str) -> Origin:
        file = file_of(uri)
        return Origin(file, shown_path(file, self._texts.folders))
