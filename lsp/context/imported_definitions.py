"""The definitions behind the imports of a document.

What is imported is found and read in a thread (`DefinitionFinder`); what is offered is chosen from
memory by the names around the cursor.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from midfill.lsp.context.definitions import definitions_of
from midfill.lsp.context.import_statements import EVERYTHING, Import, imports_of
from midfill.lsp.context.import_targets import targets_of
from midfill.lsp.context.open_texts import shown_path
from midfill.lsp.context.outlines import outline_of, outline_snippet
from midfill.lsp.context.readable_files import MOST_BYTES, Stamp
from midfill.lsp.context.snippet import Origin
from midfill.lsp.context.tokens import characters_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from midfill.lsp.context.definitions import Definition
    from midfill.lsp.context.outlines import Outline
    from midfill.lsp.context.readable_files import ReadableFiles
    from midfill.lsp.context.snippet import Snippet
    from midfill.lsp.context.view import View

FILES = 24
"""Files behind the imports of one document, at most."""

DOCUMENTS = 32
"""Documents whose imports are remembered."""

TOP = 64 * 1024
"""Characters of a document in which its imports are looked for."""

PASSED_ON = 2
"""A file that only passes names on is followed so many times."""

KNOWN_FILES = 256

MOST_OF_IT = 0.7
"""One file of several takes no more than this share of the budget."""


TWICE = 2
"""So many times the budget is offered; not all of it will be taken."""


@dataclass(frozen=True, slots=True)
class Importer:
    """A document whose imports are to be looked up.

    Attributes:
        path: where it lies.
        grammar: that it is read with.
        text: of the document.
        open: the text of every open document by its path; the disk may have an older one.
    """

    path: str
    grammar: str
    text: str
    open: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What a document imports, as far as it lies in the workspace.

    Attributes:
        imports: the targets as they are written, found or not.
        outlines: of the files behind them, in the order of the imports.
    """

    imports: frozenset[str] = frozenset()
    outlines: tuple[Outline, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    """A file as it was read last.

    Attributes:
        state: its text if it is open, else what tells its present state on the disk.
    """

    state: str | Stamp
    imports: tuple[Import, ...]
    definitions: tuple[Definition, ...]


@dataclass(slots=True)
class _Wanted:
    """The files found so far, and which of their names are imported."""

    names: dict[str, set[str]] = field(default_factory=dict)

    def add(self, path: str, names: Sequence[str]) -> None:
        if path in self.names or len(self.names) < FILES:
            self.names.setdefault(path, set()).update(names or [EVERYTHING])


class DefinitionFinder:
    """Finds and reads what documents import. Used by one thread at a time, never the event loop's.

    Files are read again only when they have changed.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Source] = OrderedDict()

    def find(self, importer: Importer, files: ReadableFiles) -> Found:
        """Look up all imports of a document.

        Args:
            files: those that may be read; asked anew for each, whatever is known already.
        """
        from midfill.inference.syntax.parsing import parse

        head = importer.text[:TOP]
        imports = imports_of(parse(head, importer.grammar))
        wanted = _Wanted()
        self._follow(imports, importer.path, importer, files, wanted, PASSED_ON)
        outlines = []
        for path, names in wanted.names.items():
            source = self._source(path, importer, files)
            if source is not None and source.definitions:
                origin = Origin(path, shown_path(path, files.folders))
                stamp = source.state if isinstance(source.state, Stamp) else None
                outlines.append(outline_of(origin, source.definitions, names, stamp))
        return Found(frozenset(map(_written, imports)), tuple(outlines))

    def forget(self, paths: Iterable[str]) -> None:
        """Nothing of these files is to be known any more."""
        for path in paths:
            self._known.pop(path, None)

    def _follow(
        self,
        imports: Sequence[Import],
        path: str,
        importer: Importer,
        files: ReadableFiles,
        wanted: _Wanted,
        further: int,
    ) -> None:
        for one in imports:
            for target in targets_of(one, path, importer.grammar, files):
                source = self._source(target, importer, files)
                if source is None:
                    continue
                wanted.add(target, one.names)
                missing = set(one.names) - {definition.name for definition in source.definitions}
                if further and missing:
                    passing = [_passing(through, missing) for through in source.imports]
                    passed = [through for through in passing if through is not None]
                    self._follow(passed, target, importer, files, wanted, further - 1)

    def _source(self, path: str, importer: Importer, files: ReadableFiles) -> _Source | None:
        """What a file holds now; None if it may not be read, or is in no language that we know."""
        from midfill.inference.syntax.grammars import grammar_for

        grammar = grammar_for("", path)
        if grammar == "c" and importer.grammar == "cpp":
            grammar = "cpp"  # headers of both are called the same
        text = importer.open.get(path)
        state = files.stamp(path) if text is None else text
        if grammar is None or state is None or (text is not None and not files.allows(path)):
            self._known.pop(path, None)
            return None
        known = self._known.get(path)
        if known is not None and known.state == state:
            self._known.move_to_end(path)
            return known
        if text is None:
            text = files.read(path)
        if text is None or len(text) > MOST_BYTES:
            self._known.pop(path, None)
            return None
        source = _read(text, grammar, state)
        self._known[path] = source
        while len(self._known) > KNOWN_FILES:
            self._known.popitem(last=False)
        return source


class ImportedDefinitions:
    """Offers the definitions behind a document's imports, those whose names are near first.

    Args:
        tokens: for all that is on offer, about.
    """

    name = "imported definitions"

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self._found: OrderedDict[str, Found] = OrderedDict()

    def found(self, uri: str, found: Found) -> None:
        """Take over what was found for a document."""
        self._found[uri] = found
        self._found.move_to_end(uri)
        while len(self._found) > DOCUMENTS:
            self._found.popitem(last=False)

    def imports(self, uri: str) -> frozenset[str]:
        """What a document imports, as it was written when that was looked up last."""
        return self._found.get(uri, Found()).imports

    def closed(self, uri: str) -> None:
        """A document is closed; what it imports is not needed any more."""
        self._found.pop(uri, None)

    def forget(self, file: str) -> None:
        """A file must not be seen any more, nor may what it defines."""
        for uri, found in self._found.items():
            outlines = tuple(one for one in found.outlines if one.origin.file != file)
            self._found[uri] = Found(found.imports, outlines)

    def snippets(self, at: View) -> Sequence[Snippet]:
        outlines = self._found.get(at.uri, Found()).outlines
        characters = characters_in(self.tokens)
        room = int(characters * (MOST_OF_IT if len(outlines) > 1 else 1))
        offered: list[Snippet] = []
        left = TWICE * characters
        for outline in sorted(outlines, key=lambda one: -one.most_wanted(at.focus, at.near)):
            snippet = outline_snippet(outline, at.focus, at.near, room)
            if snippet is not None:
                offered.append(snippet)
                left -= len(snippet.text)
            if left <= 0:
                break
        return offered


def _read(text: str, grammar: str, state: str | Stamp) -> _Source:
    from midfill.inference.syntax.parsing import parse

    parsed = parse(text, grammar)
    return _Source(state, imports_of(parsed), definitions_of(parsed))


def _passing(one: Import, missing: set[str]) -> Import | None:
    """As much of an import as passes on names that are missing."""
    if EVERYTHING in missing:
        return one
    names = missing if EVERYTHING in one.names else missing.intersection(one.names)
    return replace(one, names=tuple(sorted(names))) if names else None


def _written(one: Import) -> str:
    return "." * one.up + one.target + "".join(f" {name}" for name in one.names)
