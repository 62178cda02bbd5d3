"""Building the corpus: fetch packages, take their files, choose among those, write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from midfill.inference.downloads.folder_lock import sole_use
from midfill.inference.errors import DownloadFailed, UsageError
from midfill.inference.progress import Progress
from midfill.inference.training.corpus.archives import read_archive
from midfill.inference.training.corpus.client import throw_away_folder
from midfill.inference.training.corpus.contamination import (
    overlap_with,
    problems_in_file,
    problems_in_folder,
)
from midfill.inference.training.corpus.disk import disk_errors
from midfill.inference.training.corpus.languages import EXTENSIONS
from midfill.inference.training.corpus.licence_evidence import Licence
from midfill.inference.training.corpus.manifest import write_corpus
from midfill.inference.training.corpus.package_record import (
    PackageRecord,
    TakenFile,
    load_record,
)
from midfill.inference.training.corpus.packages import PackageList, read_package_list
from midfill.inference.training.corpus.registries import REGISTRIES
from midfill.inference.training.corpus.selection import select
from midfill.inference.training.corpus.taking import take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from midfill.inference.progress import ProgressListener
    from midfill.inference.training.corpus.packages import Package

DEFAULT_LANGUAGES = ("python", "javascript", "typescript", "go", "rust", "java", "c")


@dataclass(frozen=True, slots=True)
class CorpusRequest:
    """What is wanted.

    Attributes:
        languages: packages without any of these are not fetched.
        limit_packages: only the first so many of the list, if given.
        problem_folders: nothing that overlaps problems under these gets into the corpus.
        packages: the list to build from.
    """

    languages: tuple[str, ...] = DEFAULT_LANGUAGES
    limit_packages: int | None = None
    problem_folders: tuple[Path, ...] = ()
    packages: PackageList = field(default_factory=read_package_list)


def build_corpus(
    folder: Path, request: CorpusRequest, listener: ProgressListener
) -> dict[str, Any]:
    """Build the corpus in a folder, from where an interrupted build of it ended.

    Args:
        folder: made if it is not there.
        listener: may raise, to break off.

    Returns:
        the corpus's manifest.

    Raises:
        UsageError: an unknown language, or problems that cannot be read.
        DownloadFailed: no package could be fetched, or the problems that Midfill is measured by
            could not.
        NoSpace: the disk is full.
        MidfillError: the folder cannot be written to.
    """
    wanted = _wanted(request)
    problems = [one for named in request.problem_folders for one in problems_in_folder(named)]
    with disk_errors(folder):
        (folder / "packages").mkdir(parents=True, exist_ok=True)
    waiting = Progress("waiting for another build of this corpus")
    with sole_use(folder, waiting, listener), disk_errors(folder):
        for benchmark in request.packages.benchmarks:
            problems += _problems(benchmark, folder, listener)
        records, notes = _fetch_all(wanted, folder, listener)
        selecting = "removing duplicates and evaluation problems"
        selection = select(
            records,
            overlap_with(problems),
            request.languages,
            lambda share: listener(Progress(selecting, share)),
        )
        if not selection.files:
            raise DownloadFailed(f"no package gave any files: {notes[0] if notes else 'none left'}")
        return write_corpus(folder, selection, records, notes)


def _wanted(request: CorpusRequest) -> tuple[Package, ...]:
    for language in request.languages:
        if language not in EXTENSIONS:
            raise UsageError(f"{language!r} is no language of these: {', '.join(EXTENSIONS)}")
    wanted = request.packages.of_languages(request.languages)
    if not wanted:
        raise UsageError(f"no package on the list has {', '.join(request.languages) or 'nothing'}")
    if request.limit_packages is not None and request.limit_packages < 1:
        raise UsageError("the limit of packages must be 1 or more")
    return wanted[: request.limit_packages]


def _fetch_all(
    wanted: tuple[Package, ...], folder: Path, listener: ProgressListener
) -> tuple[list[PackageRecord], list[str]]:
    records: list[PackageRecord] = []
    notes: list[str] = []
    for place, package in enumerate(wanted):

        def beat(share: float = place / len(wanted)) -> None:
            listener(Progress("fetching packages", share))

        beat()
        try:
            record = _recorded(package, folder, beat)
        except DownloadFailed as error:
            notes.append(f"{package.registry}: {package.name} {package.version}: {error}")
            listener(Progress(f"not fetched: {notes[-1]}"))
            continue
        records.append(record)
        if not record.licence.permissive:
            notes.append(
                f"{package.registry}: {package.name} {package.version}: left out, its licence is "
                f"{record.licence.expression} ({record.licence.evidence})"
            )
            listener(Progress(notes[-1]))
    if not records:
        raise DownloadFailed(f"none of {len(wanted)} packages could be fetched: {notes[-1]}")
    return records, notes


def _recorded(package: Package, folder: Path, beat: Callable[[], None]) -> PackageRecord:
    if (record := load_record(folder / "packages", package)) is not None:
        return record
    registry = REGISTRIES[package.registry]
    if client := registry.missing():
        raise DownloadFailed(f"{client} is not installed")
    with throw_away_folder(folder / "fetching") as away:
        record = take(package, registry.fetch(package, away, beat), registry)
    record.save(folder / "packages")
    return record


def _problems(benchmark: Package, folder: Path, listener: ProgressListener) -> list[str]:
    """The texts of a benchmark's problems, kept like a package's files."""
    record = load_record(folder / "packages", benchmark)
    if record is None:
        message = Progress(f"fetching the problems of {benchmark.name}")
        listener(message)
        registry = REGISTRIES[benchmark.registry]
        try:
            with throw_away_folder(folder / "fetching") as away:
                archive = registry.fetch(benchmark, away, lambda: listener(message))
                files = tuple(
                    TakenFile(member.path, "problem", text)
                    for member in read_archive(
                        archive, lambda path: path.endswith((".jsonl", ".jsonl.gz"))
                    )
                    for text in problems_in_file(member.path, member.data)
                )
        except (DownloadFailed, ValueError) as error:
            raise DownloadFailed(
                f"{benchmark.name} {benchmark.version} cannot be fetched, so its problems could "
                f"get into the corpus; try again ({error})"
            ) from error
        if not files:
            raise DownloadFailed(f"{benchmark.name} {benchmark.version} has no problems in it")
        record = PackageRecord(benchmark, Licence("", "", True), files)
        record.save(folder / "packages")
    return [file.text for file in record.files]
