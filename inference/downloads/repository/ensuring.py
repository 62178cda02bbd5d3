"""The folder that a model is opened from, which is pulled first where nobody has to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.downloads.hub_access import OFFLINE_VARIABLE, hub_is_off
from midfill.inference.downloads.repository.checking import check_snapshot
from midfill.inference.downloads.repository.listing import ask_hub
from midfill.inference.downloads.repository.pulling import Wish, pull_snapshot
from midfill.inference.downloads.repository.snapshots import (
    MAIN,
    command_name,
    find_snapshot,
    local_folder,
    snapshots,
)
from midfill.inference.errors import WeightsMissing

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.downloads.repository.licence import Licence
    from midfill.inference.progress import ProgressListener


def ensure_snapshot(
    repository: str,
    revision: str | None,
    listener: ProgressListener,
    accept_licence: bool = False,
) -> Path:
    """The folder of a whole snapshot; costs a few `stat` calls if it was pulled before.

    What was pulled is used for as long as it is here, whatever its branch stands for by now; the
    hub is not asked. Files that were touched are read, and have to hold what they held.

    Args:
        repository: hub id.
        revision: a commit, branch or tag; None for what was pulled, else for the main branch.
        listener: told how far a pull has come; may raise, to break off.
        accept_licence: whether the user has agreed to a licence that is not permissive.

    Raises:
        WeightsMissing: it is not here, and the hub is switched off or the user has to be asked
            about the licence first.
        WeightsCorrupt: it is damaged.
        UsageError, DownloadFailed, NoSpace, MidfillError: see `ask_hub` and `pull_snapshot`.
    """
    if snapshot := find_snapshot(repository, revision):
        folder = local_folder(repository, revision)
        check_snapshot(snapshot, snapshot.touched_files(), listener)
        return folder
    name = command_name(repository, revision)
    if hub_is_off():
        raise WeightsMissing(
            f"{name} has not been pulled, and the model hub is switched off by {OFFLINE_VARIABLE}: "
            f"unset that and run `midfill model pull {name}`"
        )
    listing = ask_hub(repository, revision or MAIN)
    agreed = accept_licence or was_accepted(repository, listing.licence)
    if not listing.licence.permissive and not agreed:
        raise WeightsMissing(
            f"{name} has not been pulled; its licence ({listing.licence.name}) is for you to "
            f"agree to: run `midfill model pull {name}`"
        )
    wish = Wish(revision or MAIN, accepted=not listing.licence.permissive)
    return pull_snapshot(listing, wish, listener).folder


def was_accepted(repository: str, licence: Licence) -> bool:
    """Whether the user has agreed to this licence of this repository before."""
    return any(
        one.record.accepted is not None and one.record.licence.is_same(licence)
        for one in snapshots(repository)
    )
