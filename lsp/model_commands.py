"""``midfill model``: which models there are, and having them here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from midfill.inference.models.catalog import CatalogEntry

app = typer.Typer(
    help="List, pull and describe models.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(metavar="M", help="A model's name, as `model list` shows it.")]


@app.command("list")
def list_models() -> None:
    """Show the models that can be used, and whether they are here."""
    from midfill.inference.models.catalog import CATALOG

    for entry in CATALOG:
        print(
            f"{entry.name:<10}  {entry.folder().state():<11}  "
            f"{_size(entry.download_bytes):>7}  {entry.licence}  {entry.description}"
        )


@app.command()
def pull(model: Name = "embedded") -> None:
    """Fetch a model, or check the one that is here and replace what is damaged."""
    from midfill.inference.models.catalog import catalog_entry
    from midfill.lsp.progress_view import progress_view

    folder = catalog_entry(model).folder()
    with progress_view() as listener:
        folder.repair(listener)
    print(f"{model} is complete and intact in {folder.path}")


@app.command()
def show(model: Name = "embedded") -> None:
    """Describe a model: its licence, where it comes from, its files and their sha256."""
    from midfill.inference.models.catalog import catalog_entry

    for label, value in _description(catalog_entry(model)):
        print(f"{label:<12}  {value}".rstrip())


def _description(entry: CatalogEntry) -> list[tuple[str, str]]:
    folder, adapter = entry.folder(), entry.adapter
    published = folder.published
    lines = [
        ("name", entry.name),
        ("model", entry.description),
        ("licence", entry.licence),
        ("origin", entry.origin),
        ("fetched from", ", else ".join(source.name for source in folder.sources)),
        ("download", f"{_size(published.size)} ({published.size:,} bytes)"),
        ("on disk", f"{_size(entry.disk_bytes)} once prepared"),
        ("sha256", published.sha256),
        ("state", folder.state()),
        ("folder", str(folder.path)),
    ]
    for name in folder.names:
        size = folder.size_of(name)
        lines.append(("", f"{name}  {'not there' if size is None else _size(size)}"))
    lines += [
        ("adapter", adapter.description),
        ("", f"{adapter.path}  {_size(adapter.path.stat().st_size)}  {adapter.licence}"),
        *(("", f"{label}: {value}") for label, value in adapter.figures),
    ]
    return lines


def _size(count: int) -> str:
    """Bytes as people read them, in powers of 1000."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
