"""``midfill model``: which models there are, and having them here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from midfill.inference.errors import UsageError, WeightsMissing

if TYPE_CHECKING:
    from midfill.inference.downloads.repository.remains import Remains
    from midfill.inference.downloads.repository.snapshots import Snapshot
    from midfill.inference.models.machine_memory import Memory
    from midfill.inference.models.reference import ModelReference

app = typer.Typer(
    help="List, pull, describe and remove models.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="M", help="`embedded`, or a hub id such as OWNER/NAME or OWNER/NAME,revision=R."
    ),
]


@app.command("list")
def list_models(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the models that can be used, whether they are here, and whether they would fit."""
    from midfill.inference.models.overview import overview
    from midfill.lsp.model_list_view import models_as_json, print_models

    memories = memories_here()
    rows = overview(memories)
    if json:
        print(models_as_json(rows, memories))
    else:
        print_models(rows, memories)


@app.command()
def pull(
    model: Name = "embedded",
    file: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of several GGUF files, the one to take."),
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Agree to a licence that is not permissive.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Only check what is here; ask nobody.")
    ] = False,
) -> None:
    """Fetch a model, or check the one that is here and replace what is damaged."""
    from midfill.inference.models.catalog import EMBEDDED
    from midfill.lsp.progress_view import progress_view

    reference = _hub_reference(model)
    if reference is not None:
        _pull_repository(reference, file, accept_licence=accept_licence, offline=offline)
        return
    if file is not None:
        raise UsageError("the embedded model has one file only: leave --file out")
    folder = EMBEDDED.folder()
    with progress_view() as listener:
        if offline:
            folder.ensure(listener, pull=False)
        else:
            folder.repair(listener)
    print(f"{model} is complete and intact in {folder.path}")


@app.command()
def show(model: Name = "embedded") -> None:
    """Describe a model: its licence, where it comes from, its files and their sha256."""
    from midfill.inference.downloads.repository.remains import Remains
    from midfill.inference.models.catalog import EMBEDDED
    from midfill.inference.models.known import known_model
    from midfill.inference.models.overview import known_row, snapshot_row
    from midfill.lsp.model_description import (
        embedded_description,
        known_description,
        print_lines,
        remains_description,
        snapshot_description,
    )

    reference = _hub_reference(model)
    if reference is None:
        print_lines(embedded_description(EMBEDDED))
        return
    here = _meant(reference)
    known = known_model(reference.location)
    if not here and known is None:
        raise WeightsMissing(
            f"nothing is known of {model!r}, and it has not been pulled: "
            f"run `midfill model pull {model}`"
        )
    memories = memories_here()
    if not here and known is not None:
        print_lines(known_description(known, known_row(known, memories)))
    for number, one in enumerate(here):
        if number:
            print()
        if isinstance(one, Remains):
            print_lines(remains_description(one))
        else:
            print_lines(snapshot_description(one, snapshot_row(one, memories)))


@app.command()
def remove(
    model: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete what was pulled of a model: the revision that is named, or all of it."""
    from midfill.inference.downloads.repository.removing import remove_snapshots
    from midfill.inference.models.catalog import EMBEDDED
    from midfill.lsp.licence_question import somebody_is_there
    from midfill.lsp.model_list_view import size
    from midfill.lsp.progress_view import progress_view

    reference = _hub_reference(model)
    if reference is None:
        raise UsageError(
            f"the embedded model is not removed here: delete the folder {EMBEDDED.folder().path}"
        )
    gone = _meant(reference)
    if not gone:
        raise WeightsMissing(f"{model} has not been pulled, so there is nothing to remove")
    for one in gone:
        print(f"{one.folder}  {size(one.size)}")
    if not yes:
        if not somebody_is_there():
            raise UsageError("add --yes to delete this without being asked")
        typer.confirm("Delete this?", default=False, abort=True, err=True)
    with progress_view() as listener:
        remove_snapshots(gone, listener)
    print(f"{model} is removed")


def memories_here() -> tuple[Memory, ...]:
    """What models could be held in on this machine, as it is at the moment."""
    from midfill.inference.models.machine_memory import Memory
    from midfill.inference.models.options import Weights
    from midfill.inference.torch_report import TorchReport
    from midfill.lsp.doctor_checks import Machine, available_memory

    machine, found = Machine(), []
    if (available := available_memory()) is not None:
        exact = Weights.BFLOAT16 if machine.bfloat16 else Weights.FLOAT32
        found.append(Memory("memory", available, exact))
    if isinstance(machine.torch, TorchReport):
        devices = zip(machine.torch.cuda, machine.torch.cuda_memory, strict=False)
        found += [Memory(name, size) for name, size in devices]
    return tuple(found)


def _hub_reference(model: str) -> ModelReference | None:
    """The reference of a model on the hub; None for the embedded one.

    Raises:
        UsageError: it is neither.
    """
    from midfill.inference.models.catalog import catalog_entry
    from midfill.inference.models.reference import Place, model_reference

    if "/" not in model and "," not in model:
        catalog_entry(model)
        return None
    reference = model_reference(model)
    if reference.place is Place.FOLDER:
        raise UsageError(f"{model} is a folder of yours, which is used as it is")
    if reference.place is not Place.HUB:
        raise UsageError(f"{model} is on a server, so there is nothing to pull or to show")
    return reference


def _meant(reference: ModelReference) -> tuple[Snapshot | Remains, ...]:
    """What is here of the revision that is named, or of all: whole, begun and damaged."""
    from midfill.inference.downloads.repository.remains import remains
    from midfill.inference.downloads.repository.snapshots import (
        find_snapshot,
        is_commit,
        snapshots,
    )

    repository, revision = reference.location, reference.options.revision
    here: tuple[Snapshot | Remains, ...] = (*snapshots(repository), *remains(repository))
    if revision is None:
        return here
    if found := find_snapshot(repository, revision):
        return (found,)
    meant = tuple(one for one in here if is_commit(revision, one.commit))
    return meant if len({one.commit for one in meant}) == 1 else ()


def _pull_repository(
    reference: ModelReference, file: str | None, *, accept_licence: bool, offline: bool
) -> None:
    from midfill.inference.downloads.hub_access import hub_is_off
    from midfill.inference.downloads.repository.ensuring import was_accepted
    from midfill.inference.downloads.repository.listing import ask_hub
    from midfill.inference.downloads.repository.pulling import Wish, pull_snapshot
    from midfill.inference.downloads.repository.snapshots import MAIN, find_snapshot
    from midfill.inference.downloads.repository.wanted import wanted_files
    from midfill.lsp.licence_question import ask_about
    from midfill.lsp.progress_view import progress_view

    repository, revision = reference.location, reference.options.revision or MAIN
    if offline or hub_is_off():
        _check_offline(reference)
        return
    listing = ask_hub(repository, revision)
    old = find_snapshot(repository, revision)
    moved = old is not None and old.record.commit != listing.commit
    if old is not None and moved:
        print(
            f"{revision} of {repository} has moved from {old.record.commit[:7]} to "
            f"{listing.commit[:7]}; the old one is used until the new one is complete"
        )
    licence, agreed = listing.licence, False
    if not licence.permissive:
        agreed = True
        if not was_accepted(repository, licence):
            # a repository that cannot be used is no matter to agree about
            wanted_files(listing, file, old.record.files if old and not moved else ())
            ask_about(licence, repository, accepted=accept_licence)
    with progress_view() as listener:
        wish = Wish(revision, file, accepted=agreed, repair=True)
        snapshot = pull_snapshot(listing, wish, listener)
    print(
        f"{repository} ({licence.name}, commit {listing.commit[:7]}) is complete and intact "
        f"in {snapshot.folder}"
    )
    if old is not None and moved:
        print(
            f"the old one stays; `midfill model remove {repository},revision="
            f"{old.record.commit[:7]}` deletes it"
        )


def _check_offline(reference: ModelReference) -> None:
    from midfill.inference.downloads.hub_access import OFFLINE_VARIABLE
    from midfill.inference.downloads.repository.checking import check_snapshot
    from midfill.inference.downloads.repository.snapshots import command_name, find_snapshot
    from midfill.lsp.progress_view import progress_view

    repository, revision = reference.location, reference.options.revision
    snapshot = find_snapshot(repository, revision)
    if snapshot is None:
        raise WeightsMissing(
            f"{command_name(repository, revision)} has not been pulled, or in part only: "
            f"leave --offline out and unset {OFFLINE_VARIABLE} to fetch it"
        )
    with progress_view() as listener:
        check_snapshot(snapshot, tuple(snapshot.record.files), listener)
    commit = snapshot.record.commit[:7]
    print(f"{repository} (commit {commit}) is complete and intact in {snapshot.folder}")
