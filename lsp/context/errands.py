"""What has to be looked up on the disk, and is, away from the event loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.exclusion.policy import ExclusionPolicy
from midfill.lsp.context.imported_definitions import DefinitionFinder, Found, Importer
from midfill.lsp.context.readable_files import ReadableFiles, Stamp
from midfill.lsp.context.snippet import stripped_lines

if TYPE_CHECKING:
    from midfill.inference.exclusion.policy import UserRules


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be looked up on the disk for a document.

    Attributes:
        importer: the document, if its imports can be read.
        closed: URIs and files of documents that were closed lately.
        forgotten: files of which nothing is to be known any more.
        folders: those of the workspace.
        rules: what the user's settings exclude.
    """

    uri: str
    importer: Importer | None
    closed: tuple[tuple[str, str], ...]
    forgotten: frozenset[str]
    folders: tuple[str, ...]
    rules: UserRules


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of an errand.

    Attributes:
        closed: for each document that was closed, the lines of its file and their state.
    """

    uri: str
    found: Found | None
    closed: tuple[tuple[str, frozenset[str], Stamp | None], ...]


class ErrandRunner:
    """Does errands. Used by one thread at a time, never the event loop's.

    It has an exclusion policy of its own, as those are not for several threads; what is wrong with
    ignore files is told by the other one.
    """

    def __init__(self) -> None:
        self._policy = ExclusionPolicy(complain=lambda sentence: None)
        self._finder = DefinitionFinder()

    def run(self, errand: Errand) -> Findings:
        """Look up what there is on the disk now."""
        if errand.rules != self._policy.rules:
            self._policy = ExclusionPolicy(errand.rules, complain=lambda sentence: None)
        self._policy.ignore_files.forget()
        self._finder.forget(errand.forgotten)
        importer = errand.importer
        unsaved = importer.open.keys() if importer else frozenset()
        files = ReadableFiles(self._policy, errand.folders, unsaved)
        found = self._finder.find(importer, files) if importer else None
        closed = tuple((uri, *_lines_on_disk(file, files)) for uri, file in errand.closed)
        return Findings(errand.uri, found, closed)


def _lines_on_disk(file: str, files: ReadableFiles) -> tuple[frozenset[str], Stamp | None]:
    stamp = files.stamp(file)
    text = files.read(file) if stamp is not None else None
    return (frozenset(), None) if text is None else (stripped_lines([text]), stamp)
