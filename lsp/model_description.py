"""What `midfill model show` says of a model, as pairs of labels and values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.lsp.model_list_view import fits_of, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.downloads.repository.remains import Remains
    from midfill.inference.downloads.repository.snapshots import Snapshot
    from midfill.inference.models.catalog import CatalogEntry
    from midfill.inference.models.known import KnownModel
    from midfill.inference.models.overview import ModelRow

Lines = list[tuple[str, str]]


def embedded_description(entry: CatalogEntry) -> Lines:
    """Of the model that comes with Midfill."""
    folder, adapter = entry.folder(), entry.adapter
    published = folder.published
    lines = [
        ("name", entry.name),
        ("model", entry.description),
        ("licence", entry.licence),
        ("origin", entry.origin),
        ("fetched from", ", else ".join(source.name for source in folder.sources)),
        ("download", f"{size(published.size)} ({published.size:,} bytes)"),
        ("on disk", f"{size(entry.disk_bytes)} once prepared"),
        ("sha256", published.sha256),
        ("state", folder.state()),
        ("folder", str(folder.path)),
    ]
    for name in folder.names:
        found = folder.size_of(name)
        lines.append(("", f"{name}  {'not there' if found is None else size(found)}"))
    lines += [
        ("adapter", adapter.description),
        ("", f"{adapter.path}  {size(adapter.path.stat().st_size)}  {adapter.licence}"),
        *(("", f"{label}: {value}") for label, value in adapter.figures),
    ]
    return lines


def known_description(model: KnownModel, row: ModelRow) -> Lines:
    """Of a known model of which nothing is here."""
    return [
        ("name", model.repository),
        ("model", row.description),
        ("licence", f"{model.licence}; its card decides when it is pulled"),
        *_memory(row),
        ("state", row.state),
    ]


def snapshot_description(snapshot: Snapshot, row: ModelRow) -> Lines:
    """Of one commit of a repository that was pulled."""
    record = snapshot.record
    agreed = f", agreed to on {record.accepted[:10]}" if record.accepted else ""
    whole = f", complete since {record.completed[:10]}" if record.completed else ""
    asked = ", ".join(f"{name} ({when[:19]})" for name, when in record.asked.items())
    lines = [
        ("name", record.repository),
        ("model", row.description),
        ("licence", f"{record.licence.name}{agreed}"),
        ("", record.licence.link),
        *_memory(row),
        ("commit", record.commit),
        ("pulled as", asked or "nothing yet"),
        ("state", f"{row.state}{whole}"),
        ("folder", str(snapshot.folder)),
    ]
    damaged = snapshot.damaged_files()
    for name, file in sorted(record.files.items()):
        found = "damaged" if name in damaged else f"{size(file.size)}  sha256 {file.sha256}"
        lines.append(("", f"{name}  {found}"))
    return lines


def remains_description(remains: Remains) -> Lines:
    """Of a commit's folder that is no model."""
    return [
        ("name", remains.repository),
        ("commit", remains.commit),
        ("state", "damaged: pull it again, or remove it"),
        ("on disk", size(remains.size)),
        ("folder", str(remains.folder)),
    ]


def _memory(row: ModelRow) -> Lines:
    if row.weights is None:
        return []
    forms = {
        "bfloat16": row.weights.bfloat16,
        "int8": row.weights.int8,
        "int4": row.weights.int4,
    }
    return [
        ("in memory", "about " + ", ".join(f"{size(n)} as {form}" for form, n in forms.items())),
        ("fits", fits_of(row.fits)),
    ]


def print_lines(lines: Sequence[tuple[str, str]]) -> None:
    for label, value in lines:
        print(f"{label:<12}  {value}".rstrip())
