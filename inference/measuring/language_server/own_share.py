"""What the language server itself takes for an edit and a request, whatever is open in it."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.measuring.language_server.document import Document
from midfill.inference.measuring.language_server.environment import own_environment
from midfill.inference.measuring.language_server.places import ends_of_statements
from midfill.inference.measuring.language_server.rounds import ASKED, Round, own_ms
from midfill.inference.measuring.language_server.session import instant_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from midfill.inference.measuring.language_server.editor import Editor
    from midfill.inference.measuring.language_server.rounds import Sample

ROUNDS = 6
"""At each size; in each, the engine is asked twice."""


@dataclass(frozen=True, slots=True)
class OwnShare:
    """
    Attributes:
        file_lines: milliseconds of each edit and request in the middle of a document, the engine's
            own time taken off, by the document's lines.
        documents: the same by how many documents are open.
    """

    file_lines: Mapping[int, Sequence[float]]
    documents: Mapping[int, Sequence[float]]


def measure_own_share(
    text_of: Callable[[int], str],
    file_lines: Sequence[int],
    documents: Sequence[int],
    tell: Callable[[str], None],
    *,
    document_lines: int = 500,
    rounds: int = ROUNDS,
) -> OwnShare:
    """Start a language server with an engine that answers at once, and edit in it.

    Nothing of the user's own engine, statistics or logs is touched. Sizes of files take turns, so
    that noise hits all alike.

    Args:
        text_of: code of so many lines.
        file_lines, documents: the sizes, rising.
        tell: hears of the progress.
        document_lines: of each open document.
        rounds: at each size.

    Raises:
        ServerGone: the server did not answer.
        NoPlace: the code has no place to edit at.
    """
    with tempfile.TemporaryDirectory(prefix="midfill-bench-") as folder:
        scratch = Path(folder)
        work = _edit(scratch, text_of, file_lines, documents, tell, document_lines, rounds)
        return asyncio.run(work)


async def _edit(
    scratch: Path,
    text_of: Callable[[int], str],
    file_lines: Sequence[int],
    documents: Sequence[int],
    tell: Callable[[str], None],
    document_lines: int,
    rounds: int,
) -> OwnShare:
    sizes: dict[int, list[Sample]] = defaultdict(list)
    opened: dict[int, list[Sample]] = defaultdict(list)
    async with instant_session(scratch, own_environment(scratch)) as session:
        for number in range(rounds + 1):
            for size in file_lines:
                tell(f"the language server in a file of {size} lines")
                found = await _one_round(session.editor, text_of(size), number)
                sizes[size] += found if number else []  # the first of all kinds are of another kind
        text, count = text_of(document_lines), 0
        for size in documents:
            tell(f"the language server with {size} open documents")
            for count in range(count + 1, size):  # noqa: B020
                document = Document(f"untitled:open-{count}.py", "python", f"# {count}\n{text}")
                session.editor.open(document)
            for number in range(rounds):
                opened[size] += await _one_round(session.editor, text, number)
    return OwnShare(
        {size: _own(samples, session.busy) for size, samples in sizes.items()},
        {size: _own(samples, session.busy) for size, samples in opened.items()},
    )


async def _one_round(editor: Editor, text: str, number: int) -> list[Sample]:
    """Open a document, edit it in the middle, and close it."""
    at = ends_of_statements(text)["middle"]
    document = Document("untitled:growing.py", "python", text)
    editor.open(document)
    one = Round(editor, document, "middle")
    await one.first(at)  # reads all of its syntax
    await one.alone(at)  # the first edit counts its lines
    await one.go(at, number)
    editor.close(document)
    return one.samples


def _own(samples: Sequence[Sample], busy: Sequence[tuple[float, float]]) -> list[float]:
    return [own_ms(sample, busy) for sample in samples if sample.kind == ASKED]
