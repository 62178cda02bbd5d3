"""``midfill corpus``: the code that a model is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    help="Build and describe the code to train on.", no_args_is_help=True, rich_markup_mode=None
)

Languages = Annotated[
    str | None, typer.Option(metavar="L,L,...", help="Only these, such as python,go.")
]
Out = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Where to; the cache folder unless given.")
]
Limit = Annotated[
    int | None, typer.Option(metavar="N", help="Only the first N packages of the list.", min=1)
]
Problems = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FOLDER",
        help="Leave out what overlaps the problems in these .jsonl files. May be repeated.",
        exists=True,
        file_okay=False,
    ),
]
Folder = Annotated[
    Path | None, typer.Argument(metavar="FOLDER", help="The cache folder's corpus unless given.")
]


@app.command()
def build(
    out: Out = None,
    languages: Languages = None,
    limit_packages: Limit = None,
    exclude_overlap_with: Problems = None,
) -> None:
    """Fetch permissively licensed packages and make a corpus of them, or finish doing so."""
    from midfill.inference.training.corpus.build import (
        DEFAULT_LANGUAGES,
        CorpusRequest,
        build_corpus,
    )
    from midfill.lsp.progress_view import progress_view

    folder = out or _default_folder()
    request = CorpusRequest(
        languages=_names(languages) or DEFAULT_LANGUAGES,
        limit_packages=limit_packages,
        problem_folders=tuple(exclude_overlap_with or ()),
    )
    with progress_view() as listener:
        manifest = build_corpus(folder, request, listener)
    _print(manifest, folder)


@app.command()
def show(folder: Folder = None) -> None:
    """Describe a corpus: how much of which language, and what was left out and why."""
    from midfill.inference.training.corpus.reader import read_manifest

    folder = folder or _default_folder()
    _print(read_manifest(folder), folder)


def _print(manifest: dict[str, Any], folder: Path) -> None:
    for label, value in _description(manifest, folder):
        print(f"{label:<12}  {value}".rstrip())


def _description(manifest: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    yield "folder", str(folder)
    yield "files", f"{manifest['files']:,} ({manifest['characters'] / 1e6:.1f} M characters)"
    for split, languages in sorted(manifest["splits"].items(), reverse=True):
        for language, count in languages.items():
            yield split, f"{language:<11} {count['files']:>6,} files {_millions(count)}"
    yield "packages", ", ".join(f"{count} {what}" for what, count in manifest["packages"].items())
    for place, (reason, count) in enumerate(manifest["dropped"].items()):
        yield "" if place else "left out", f"{count:>6,} {reason}"
    for place, note in enumerate(manifest["notes"]):
        yield "" if place else "notes", note
    yield "sha256", manifest["sha256"]


def _millions(count: dict[str, int]) -> str:
    return f"{count['characters'] / 1e6:>6.1f} M characters"


def _names(languages: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (languages or "").split(",") if name.strip())


def _default_folder() -> Path:
    from midfill.inference.training.corpus.manifest import default_folder

    return default_folder()
