"""Whether snippets of other files help the base to foretell a line, by teacher forcing.

Held-out packages are written to a throw-away folder and opened as a workspace; what the language
server would send with a request there stands before the prompt. Every figure is paired: over the
same holes, against no context::

    python benchmarks/context.py --corpus CORPUS --out FILE.json

What FILE.json has of an earlier run with the same settings is not measured again.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from lsprotocol import types
from prompt_layout import _read as read_middle

from midfill.inference.evaluation.arms.asking import window_of
from midfill.inference.evaluation.intervals import row_mean
from midfill.inference.evaluation.problems import HoleKind
from midfill.inference.evaluation.self_suite import cut_holes
from midfill.inference.models.loading import load_embedded
from midfill.inference.progress import nobody_listens
from midfill.inference.prompt import Windows, build_prompt
from midfill.inference.syntax.grammars import grammar_for
from midfill.inference.syntax.parsing import parse
from midfill.inference.syntax.place import Place, place_at
from midfill.inference.training.corpus.reader import read_corpus
from midfill.lsp.context.errands import ErrandRunner
from midfill.lsp.context.open_texts import StoredTexts
from midfill.lsp.context.sources import ContextSettings, Sources
from midfill.lsp.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from midfill.inference.evaluation.problems import Problem
    from midfill.inference.models.loading import LoadedModel
    from midfill.inference.training.corpus.source_text import SourceText
    from midfill.inference.wire import ContextFile

NONE = "no context"
BUDGETS = (128, 256, 512)
SOURCES = {
    "imports": (True, False),
    "open files": (False, True),
    "imports and open files": (True, True),
}
"""Whether an arm has definitions behind imports, and pieces of open files."""
OPEN_FILES = 4
"""Other files of the same folder, or else of the package, that are open besides."""

FEWEST_FILES = 10
"""Of one language in a package; with fewer there is little to import."""

LANGUAGES = ("python", "typescript", "javascript")
KINDS = (HoleKind.LINE, HoleKind.REST_OF_LINE)
IMPORT = re.compile(r"\s*(?:import\b|from\b|export \*|#)")
SHORTEST = 6
"""Characters of a hole."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole in a file of a package that lies in a folder."""

    problem: Problem
    file: SourceText
    others: tuple[SourceText, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What one arm made of one hole.

    Attributes:
        task: the file; holes of one are not independent.
        nll: mean negative log-likelihood of the middle's tokens, nats.
        exact: whether the base would write the middle greedily.
        context: tokens of the context.
        names_imported: whether the middle has a name that the definitions of the largest budget
            bring from another file.
    """

    hole: str
    task: str
    language: str
    arm: str
    nll: float
    exact: bool
    prompt: int
    context: int
    files: int
    names_imported: bool


def holes_in(files: Sequence[SourceText], count: int, seed: int) -> list[Hole]:
    """One hole of a file, packages in turn, in an order that may be broken off anywhere."""
    packages: dict[tuple[str, str], list[SourceText]] = defaultdict(list)
    for file in files:
        if file.language in LANGUAGES:
            packages[file.package, file.language].append(file)
    draw = random.Random(seed)
    queues = []
    for _, members in sorted(packages.items()):
        if len(members) >= FEWEST_FILES:
            found = [hole for file in members if (hole := _hole(file, members, draw))]
            draw.shuffle(found)
            queues.append(found)
    draw.shuffle(queues)
    order = [queue[turn] for turn in range(count) for queue in queues if turn < len(queue)]
    return order[:count]


def _hole(file: SourceText, members: Sequence[SourceText], draw: random.Random) -> Hole | None:
    kind = draw.choice(KINDS)
    found = [
        problem
        for seed in range(4)
        for problem in cut_holes([file], draw.randrange(2**31) + seed)
        if problem.kind is kind and _is_code(problem, file)
    ]
    folder = file.path.rpartition("/")[0]
    others = [other for other in members if other.path != file.path]
    near = [other for other in others if other.path.rpartition("/")[0] == folder]
    pool = near if len(near) >= OPEN_FILES else others
    opened = tuple(draw.sample(pool, min(OPEN_FILES, len(pool))))
    return Hole(found[0], file, opened) if found else None


def _is_code(problem: Problem, file: SourceText) -> bool:
    """Whether a hole is in a line of code: no import, no comment, nothing in a text."""
    line = problem.prompt.rpartition("\n")[2] + problem.gold
    if IMPORT.match(line) or len(problem.gold.strip()) < SHORTEST:
        return False
    start = problem.prompt.rfind("\n") + 1 + len(line) - len(line.lstrip())
    parsed = parse(file.text, grammar_for(file.language, file.path) or file.language)
    return place_at(parsed, start + 1) is Place.CODE


class Workspace:
    """A package in a folder, opened as an editor would open it."""

    def __init__(self, folder: Path, files: Sequence[SourceText]) -> None:
        self.folder = folder
        for file in files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text)

    def context(
        self, hole: Hole, settings: ContextSettings, opened: Sequence[SourceText] = ()
    ) -> tuple[ContextFile, ...]:
        """What the language server would send with a request at the hole."""
        store = DocumentStore(
            None, workspace_folders=[types.WorkspaceFolder(self.folder.as_uri(), "w")]
        )
        sources = Sources(StoredTexts(store), lambda: store.policy, settings)
        problem = hole.problem
        for file in opened:
            self._open(store, sources, file, file.text)
        uri = self._open(
            store, sources, hole.file, problem.prompt + problem.closing + problem.suffix
        )
        sources.take(ErrandRunner().run(sources.errand(uri)))
        return sources.files_for(uri, problem.prompt.count("\n"))

    def _open(self, store: DocumentStore, sources: Sources, file: SourceText, text: str) -> str:
        uri = (self.folder / file.path).as_uri()
        store.put_text_document(types.TextDocumentItem(uri, file.language, 1, text))
        sources.opened(uri)
        return uri


def measured(
    loaded: LoadedModel, workspace: Workspace, hole: Hole, windows: Windows, wanted: Sequence[str]
) -> Iterator[Row]:
    """One row for each wanted arm; prompts that come out the same are read once."""
    problem, tokenizer = hole.problem, loaded.tokenizer
    window = window_of(problem)
    arms = {NONE: ()}
    for budget in BUDGETS:
        for name, (imports, visited) in SOURCES.items():
            settings = ContextSettings(tokens=budget, imports=imports, visited=visited)
            opened = hole.others if visited else ()
            arms[f"{name}, {budget}"] = workspace.context(hole, settings, opened)
    middle = problem.gold.removesuffix("\n") if problem.closing else problem.gold
    elsewhere = " ".join(file.text for file in arms[f"imports, {BUDGETS[-1]}"])
    defined = set(re.findall(r"(?:def|class|function|const|type|interface) (\w+)", elsewhere))
    names = bool(defined & set(re.findall(r"\w+", middle)))
    known: dict[tuple[int, ...], tuple[float, bool, int]] = {}
    plain = 0
    for arm in (NONE, *wanted):
        context = arms[arm]
        prompt = build_prompt(tokenizer, window.prefix, window.suffix, context, windows)
        tokens = tuple(prompt.tokens)
        plain = plain or len(tokens)
        if tokens not in known:
            owed = prompt.owed
            known[tokens] = read_middle(loaded, tokens, owed, owed.decode() + middle, window.suffix)
        nll, exact, _ = known[tokens]
        yield Row(
            hole=problem.name,
            task=problem.task,
            language=problem.language,
            arm=arm,
            nll=nll,
            exact=exact,
            prompt=len(tokens),
            context=len(tokens) - plain,
            files=len(context),
            names_imported=names,
        )


def table(rows: Sequence[Row], seed: int) -> dict[str, dict[str, object]]:
    """For each arm: means, and paired differences from no context."""
    base = {row.hole: row for row in rows if row.arm == NONE}
    result: dict[str, dict[str, object]] = {}
    for arm in dict.fromkeys(row.arm for row in rows):
        ours = [row for row in rows if row.arm == arm]
        tasks = [row.task for row in ours]
        pairs = [(row, base[row.hole]) for row in ours]
        columns = {
            "nll": [row.nll for row in ours],
            "nll_difference": [row.nll - other.nll for row, other in pairs],
            "exact": [float(row.exact) for row in ours],
            "exact_difference": [float(row.exact) - other.exact for row, other in pairs],
            "context_tokens": [float(row.context) for row in ours],
        }
        result[arm] = {
            "holes": len(ours),
            "with_context": sum(row.context > 0 for row in ours),
            **{name: asdict(row_mean(values, tasks, seed)) for name, values in columns.items()},
        }
    return result


def _earlier(out: Path, settings: dict[str, int]) -> list[Row]:
    """The rows of an earlier run."""
    if not out.is_file():
        return []
    before = json.loads(out.read_text())
    if before["settings"] != settings:
        raise SystemExit(f"{out} is of other settings: name another file, or remove it")
    return [Row(**row) for row in before["rows"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--holes", type=int, default=40)
    parser.add_argument("--minutes", type=float, help="begin no further hole after these")
    parser.add_argument("--prefix", type=int, default=512, help="tokens of the prefix window")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budgets", type=int, nargs="+", choices=BUDGETS, default=BUDGETS)
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=tuple(SOURCES))
    parser.add_argument("--dry", action="store_true", help="show the contexts, read nothing")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    held_out = read_corpus(given.corpus).held_out
    holes = holes_in(held_out, given.holes, given.seed)
    windows = replace(Windows(), prefix=given.prefix, suffix=64)
    settings = {"prefix": given.prefix, "seed": given.seed, "holes": given.holes}
    arms = [f"{name}, {budget}" for budget in given.budgets for name in given.sources]
    rows = _earlier(given.out, settings)
    with tempfile.TemporaryDirectory() as folder:
        workspaces = {
            package: Workspace(
                Path(folder, package.replace("/", "-")),
                [file for file in held_out if file.package == package],
            )
            for package in {hole.file.package for hole in holes}
        }
        if given.dry:
            for hole in holes:
                context = workspaces[hole.file.package].context(
                    hole, ContextSettings(tokens=256), hole.others
                )
                print(f"=== {hole.problem.name}: {hole.problem.gold!r}")
                print(*(f"--- {file.path}\n{file.text}" for file in context), sep="\n")
            return
        loaded = load_embedded(torch.device("cpu"), nobody_listens)
        started = time.monotonic()
        for number, hole in enumerate(holes, 1):
            done = {row.arm for row in rows if row.hole == hole.problem.name}
            wanted = [arm for arm in arms if arm not in done]
            if wanted:
                new = measured(loaded, workspaces[hole.file.package], hole, windows, wanted)
                rows += [row for row in new if row.arm not in done]
            minutes = (time.monotonic() - started) / 60
            print(f"\r{number} holes, {minutes:.1f} min", end="", file=sys.stderr, flush=True)
            if given.minutes and minutes > given.minutes:
                break
    print(file=sys.stderr)
    named = [row for row in rows if row.names_imported]
    result = {
        "settings": settings,
        "table": table(rows, given.seed),
        "table of holes that name something imported": table(named, given.seed) if named else {},
        "rows": [asdict(row) for row in rows],
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
