"""A model's folder in the cache: the file that was published, and what is made of it once.

The published file is kept beside what was made from it: what is damaged, or outdated by a new
version of Midfill, is then made anew without fetching half a gigabyte again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import disk_errors, make_folder, need_space
from midfill.inference.downloads.folder_lock import sole_use
from midfill.inference.downloads.prepared_record import (
    PreparedRecord,
    read_record,
    write_record,
)
from midfill.inference.downloads.pull import partial_file, pull
from midfill.inference.downloads.verified_file import Fingerprint, watched_fingerprint
from midfill.inference.errors import WeightsCorrupt, WeightsMissing
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from midfill.inference.downloads.source import Source
    from midfill.inference.downloads.verified_file import PublishedFile
    from midfill.inference.progress import ProgressListener


@dataclass(frozen=True, slots=True)
class Product:
    """A file that is made from the published one.

    Attributes:
        name: in the model's folder.
        size: bytes, roughly: what to have room for.
        write: writes it; takes the published file, the path to write, and a listener.
    """

    name: str
    size: int
    write: Callable[[Path, Path, ProgressListener], None]


class State(StrEnum):
    """What a look at a model's folder says, without reading its files."""

    READY = "ready"
    MISSING = "missing"
    INTERRUPTED = "interrupted"
    """A pull has begun, and will go on where it stopped."""
    UNVERIFIED = "unverified"
    """There, but new, touched or outdated: the next use checks it, or makes what is missing."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """One model's folder.

    Attributes:
        path: need not exist yet.
        published: what is pulled.
        sources: where from, in this order.
        products: what is made of it.
        format: version of the products; those of another are made anew.
    """

    path: Path
    published: PublishedFile
    sources: tuple[Source, ...]
    products: tuple[Product, ...]
    format: int

    @property
    def names(self) -> tuple[str, ...]:
        """All files, the published one first."""
        return (self.published.name, *(product.name for product in self.products))

    def state(self) -> State:
        """A quick look: nothing but the record is read, and nothing is changed."""
        if self._untouched(self._record()):
            return State.READY
        if self.size_of(self.published.name) is not None:
            return State.UNVERIFIED
        partial = partial_file(self.published, self.path)
        return State.MISSING if self.size_of(partial.name) is None else State.INTERRUPTED

    def size_of(self, name: str) -> int | None:
        """Bytes of one file, or None if it is not there or may not be looked at."""
        try:
            return (self.path / name).stat().st_size
        except OSError:
            return None

    def ensure(self, listener: ProgressListener, *, pull: bool) -> None:
        """Make sure that all files are there and are what they should be.

        Costs a few `stat` calls when they are. What is missing is pulled or made; what was touched
        is hashed; a product that is damaged is made anew.

        Args:
            pull: whether the network may be used.
            listener: may raise, to break off.

        Raises:
            WeightsMissing: they are not there and ``pull`` is false.
            WeightsCorrupt: the published file is damaged; `repair` replaces it.
            DownloadFailed, NoSpace, MidfillError: see `pull`.
        """
        record = self._record()
        if self._untouched(record) or self._unharmed(record, listener):
            return
        if not pull and self.size_of(self.published.name) is None:
            raise WeightsMissing(
                f"{self.published.title} has not been pulled: "
                f"run `midfill model pull {self.published.model}`"
            )
        make_folder(self.path)
        waiting = Progress(f"waiting for another process that fetches {self.published.title}")
        with sole_use(self.path, waiting, listener):
            record = self._record()
            if not self._untouched(record):
                self._complete(record, listener, repair=False)

    def repair(self, listener: ProgressListener) -> None:
        """Hash every file, and replace those that are not what they should be.

        Raises:
            DownloadFailed, NoSpace, MidfillError: see `pull`.
        """
        make_folder(self.path)
        waiting = Progress(f"waiting for another process that fetches {self.published.title}")
        with sole_use(self.path, waiting, listener):
            self._complete(self._record(), listener, repair=True)

    def _record(self) -> PreparedRecord | None:
        record = read_record(self.path)
        if record is None:
            return None
        ours = (record.format, record.source_sha256) == (self.format, self.published.sha256)
        return record if ours else None

    def _untouched(self, record: PreparedRecord | None) -> bool:
        if record is None:
            return False
        try:
            return all(record.files[name].is_untouched(self.path / name) for name in self.names)
        except (OSError, KeyError):
            return False

    def _unharmed(self, record: PreparedRecord | None, listener: ProgressListener) -> bool:
        """Whether files that were touched, by a copy perhaps, still hold what they held."""
        if record is None or any(
            name not in record.files or self.size_of(name) != record.files[name].size
            for name in self.names
        ):
            return False
        files = {}
        for name in self.names:
            with disk_errors(self.path):
                try:
                    files[name] = watched_fingerprint(self.path / name, name, listener)
                except FileNotFoundError:
                    return False
            if files[name].sha256 != record.files[name].sha256:
                return False
        with suppress(OSError):  # in a read-only cache it is hashed each time
            kept = {**record.files, **files}  # also of products that others use
            write_record(self.path, PreparedRecord(self.format, self.published.sha256, kept))
        return True

    def _complete(
        self, record: PreparedRecord | None, listener: ProgressListener, *, repair: bool
    ) -> None:
        """Get, check and make all files. The caller has `sole_use` of the folder."""
        known = record.files if record is not None else {}
        source = self._source(known, listener, repair=repair)
        files = {**known, self.published.name: source}
        self._remember(files)
        for product in self.products:
            expected = known.get(product.name)
            kept = expected and self._found_good(product.name, expected, listener, repair=repair)
            files[product.name] = kept or self._make(product, listener)
            self._remember(files)

    def _source(
        self, known: Mapping[str, Fingerprint], listener: ProgressListener, *, repair: bool
    ) -> Fingerprint:
        """The published file, which is pulled if it is not there."""
        path = self.path / self.published.name
        published = Fingerprint(self.published.size, 0, self.published.sha256)
        expected = known.get(self.published.name, published)
        if self.size_of(path.name) is not None:
            if good := self._found_good(path.name, expected, listener, repair=repair):
                return good
            if not repair:
                raise WeightsCorrupt(
                    f"{path} is not what its publisher published: "
                    f"`midfill model pull {self.published.model}` fetches it anew"
                )
            with disk_errors(self.path):  # the pieces of it that are intact need not come again
                path.replace(partial_file(self.published, self.path))
        to_come = sum(product.size for product in self.products if product.name not in known)
        pull(self.published, self.sources, self.path, listener, afterwards=to_come)
        with disk_errors(self.path):
            found = path.stat()
        return Fingerprint(found.st_size, found.st_mtime_ns, self.published.sha256)

    def _found_good(
        self, name: str, expected: Fingerprint, listener: ProgressListener, *, repair: bool
    ) -> Fingerprint | None:
        """The file's fingerprint if it holds what it should; ``repair`` takes no date's word."""
        path = self.path / name
        if self.size_of(name) != expected.size:
            return None
        with disk_errors(self.path):
            if expected.is_untouched(path) and not repair:
                return expected
            found = watched_fingerprint(path, name, listener)
        return found if found.sha256 == expected.sha256 else None

    def _make(self, product: Product, listener: ProgressListener) -> Fingerprint:
        """Write a product under another name, and put it in place when it is on the disk."""
        need_space(self.path, product.size)
        path, new = self.path / product.name, self.path / f"{product.name}.new"
        try:
            with disk_errors(self.path, product.size):
                product.write(self.path / self.published.name, new, listener)
                with new.open("rb+") as file:
                    os.fsync(file.fileno())
                made = watched_fingerprint(new, product.name, listener)
                new.replace(path)
        finally:
            with suppress(OSError):
                new.unlink()
        return made

    def _remember(self, files: Mapping[str, Fingerprint]) -> None:
        with disk_errors(self.path):
            write_record(self.path, PreparedRecord(self.format, self.published.sha256, dict(files)))
