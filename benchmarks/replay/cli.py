"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from midfill.inference.errors import MidfillError
from midfill.inference.measuring.language_server.connection import ServerGone
from midfill.inference.measuring.language_server.environment import own_environment
from midfill.inference.measuring.language_server.places import NoPlace

from .history import NoHistory, repository_root, revisions
from .machine import this_machine
from .overhead import measure_overhead, verdicts
from .places import long_file
from .replaying import replay_all
from .report import overhead_tables, replay_tables
from .trace import read_traces, to_json
from .tracing import trace_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.table import Table

    from .trace import Trace

OURS = Path(__file__).resolve().parents[2]

DESCRIPTION = """\
Type real edits into the real language server, key by key and with a person's timing, and report
what it asked, avoided, showed in time and saved, and how long each stage took.

The edits come from the history of a git repository: a commit's change of one file becomes cursor
moves, deletions and typed characters. With the same seed they are always the same. Time is real
time: a replay takes as long as typing does, and keeps the machine busy; let nothing else run.
"""

EXAMPLES = """\
examples:
  python -m benchmarks.replay                          ten minutes of this repository's own history
  python -m benchmarks.replay --repository ~/src/app --files '*.py' --minutes 30
  python -m benchmarks.replay --overhead               the language server alone; about two minutes
  python -m benchmarks.replay --save-traces TRACES     write the traces to a file, replay nothing
  python -m benchmarks.replay --traces TRACES --settings '{"minimumConfidence": 0.5}'
"""

MOST_SAVED = 200
"""Traces in a file."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status."""
    given = _parser().parse_args(arguments)
    try:
        if given.save_traces:
            _save(given)
            return 0
        machine = this_machine()
        with tempfile.TemporaryDirectory(prefix="midfill-replay-") as folder:
            tables, found = asyncio.run((_overhead if given.overhead else _replay)(given, folder))
        if sys.stderr.isatty():
            print(file=sys.stderr)
        _print(str(machine), tables)
        if given.json:
            given.json.write_text(json.dumps({"machine": asdict(machine)} | found, indent=1) + "\n")
    except (NoHistory, NoPlace, ServerGone, MidfillError, OSError, ValueError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _replay(
    given: argparse.Namespace, folder: str
) -> tuple[Iterable[Table], dict[str, object]]:
    scratch = Path(folder)
    found = await replay_all(
        _traces(given),
        60 * given.minutes,
        _root(given),
        given.settings,
        scratch,
        own_environment(scratch),
        _tell,
    )
    run = {"minutes": given.minutes, "seed": given.seed, "settings": given.settings}
    return replay_tables(found), {"run": run} | asdict(found)


async def _overhead(
    given: argparse.Namespace, folder: str
) -> tuple[Iterable[Table], dict[str, object]]:
    scratch = Path(folder)
    text = long_file(given.repository, given.lines, ascii_only=given.ascii)
    environment = own_environment(scratch)
    found = await measure_overhead(text, given.rounds, scratch, environment, _tell)
    targets = [asdict(verdict) for verdict in verdicts(found)]
    return overhead_tables(found), asdict(found) | {"targets": targets}


def _traces(given: argparse.Namespace) -> Iterator[Trace]:
    if given.traces:
        return iter(read_traces(given.traces))
    return _from_history(given)


def _from_history(given: argparse.Namespace) -> Iterator[Trace]:
    for revision in revisions(given.repository, given.files, given.seed):
        trace = trace_of(revision, given.seed)
        if trace.runs:
            yield trace


def _root(given: argparse.Namespace) -> str:
    """The workspace; traces from a file may be of a repository that is not here."""
    try:
        return repository_root(given.repository)
    except NoHistory:
        if given.traces:
            return str(given.repository.absolute())
        raise


def _save(given: argparse.Namespace) -> None:
    traces = [*islice(_traces(given), MOST_SAVED)]
    given.save_traces.write_text(to_json(traces))
    strokes = sum(trace.strokes for trace in traces)
    minutes = sum(trace.seconds for trace in traces) / 60
    print(f"{len(traces)} traces, {strokes:,} keys, {minutes:.0f} minutes of typing")


def _print(machine: str, tables: Iterable[Table]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    console.print(f"{machine}\n")
    for table in tables:
        console.print(table)
        console.print()


def _tell(progress: str) -> None:
    """Progress on standard error: one line on a terminal, else a line each."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{progress}", end="", file=sys.stderr, flush=True)
    else:
        print(progress, file=sys.stderr, flush=True)


def _settings(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("an object with settings is wanted")
    return found


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number <= 24 * 60:
        raise argparse.ArgumentTypeError("more than 0 and at most 1440 are wanted")
    return number


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError("at least 1 is wanted, and at most a million")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--repository",
        type=Path,
        default=OURS,
        metavar="FOLDER",
        help="whose history is typed, or whose Python the long file is made of (this one)",
    )
    replay = parser.add_argument_group("a replay, with the embedded model's engine")
    replay.add_argument(
        "--minutes", type=_positive, default=10.0, metavar="N", help="how long at most (10)"
    )
    replay.add_argument(
        "--seed", type=int, default=0, metavar="N", help="which edits, which timing"
    )
    replay.add_argument(
        "--files", nargs="+", default=[], metavar="PATTERN", help="only edits of such files"
    )
    replay.add_argument(
        "--settings",
        type=_settings,
        default={},
        metavar="JSON",
        help='the server\'s settings, such as \'{"mode": "subtle"}\' (the defaults)',
    )
    replay.add_argument("--traces", type=Path, metavar="FILE", help="traces that were saved")
    replay.add_argument(
        "--save-traces", type=Path, metavar="FILE", help="write the traces there and stop"
    )
    overhead = parser.add_argument_group("the language server alone")
    overhead.add_argument(
        "--overhead",
        action="store_true",
        help="time edits in a long file, before an engine that answers at once",
    )
    overhead.add_argument("--lines", type=_count, default=10_000, metavar="N", help="(10000)")
    overhead.add_argument(
        "--ascii", action="store_true", help="no file with other characters; strings take less"
    )
    overhead.add_argument(
        "--rounds", type=_count, default=40, metavar="N", help="at each of three places (40)"
    )
    return parser
