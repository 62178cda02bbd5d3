"""Where packages are fetched from: by name and version, through each registry's own client.

None of the clients is let run a package's code: pip takes wheels only, npm ignores scripts, and
apt-get downloads without installing.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from midfill.inference.errors import DownloadFailed
from midfill.inference.training.corpus.client import run_client
from midfill.inference.training.corpus.licence_evidence import (
    Licence,
    debian_licence,
    npm_licence,
    wheel_licence,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from midfill.inference.training.corpus.archives import Member
    from midfill.inference.training.corpus.packages import Package


class Registry(Protocol):
    """A registry of packages."""

    def missing(self) -> str | None:
        """The client that has to be installed before the registry can be used, if any."""

    def fetch(self, package: Package, folder: Path, beat: Callable[[], None]) -> Path:
        """Download a package into an empty folder.

        Returns:
            the archive.

        Raises:
            DownloadFailed: in the client's words.
            OSError: the disk is full.
        """

    def tells_licence(self, path: str) -> bool:
        """Whether a member of an archive is needed to know the licence."""

    def licence(self, members: list[Member]) -> Licence:
        """What the members that tell the licence say."""

    def source_path(self, path: str) -> str:
        """A member's path without what the registry puts in front of all of them."""


@dataclass(frozen=True, slots=True)
class PyPI:
    """Wheels, by pip."""

    def missing(self) -> str | None:
        return None

    def fetch(self, package: Package, folder: Path, beat: Callable[[], None]) -> Path:
        command = [
            *(sys.executable, "-P", "-m", "pip", "download", "--no-deps"),
            *("--only-binary", ":all:", "--ignore-requires-python", "--no-cache-dir"),
            *("--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
            *("--dest", str(folder), f"{package.name}=={package.version}"),
        ]
        run_client(command, folder, beat, {"PYTHONUTF8": "1"})
        return _only(folder, "*.whl")

    def tells_licence(self, path: str) -> bool:
        folder, _, rest = path.partition("/")
        return folder.endswith(".dist-info") and (rest == "METADATA" or _is_licence_file(rest))

    def licence(self, members: list[Member]) -> Licence:
        return wheel_licence(members)

    def source_path(self, path: str) -> str:
        return path


@dataclass(frozen=True, slots=True)
class Npm:
    """Tarballs, by npm."""

    def missing(self) -> str | None:
        return None if shutil.which("npm") else "npm"

    def fetch(self, package: Package, folder: Path, beat: Callable[[], None]) -> Path:
        command = [
            *(shutil.which("npm") or "npm", "pack", "--ignore-scripts", "--no-update-notifier"),
            *("--cache", str(folder / "npm"), f"{package.name}@{package.version}"),
        ]
        run_client(command, folder, beat)
        return _only(folder, "*.tgz")

    def tells_licence(self, path: str) -> bool:
        rest = self.source_path(path)
        return rest == "package.json" or ("/" not in rest and _is_licence_file(rest))

    def licence(self, members: list[Member]) -> Licence:
        return npm_licence(members)

    def source_path(self, path: str) -> str:
        return path.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Debian:
    """Packages that carry source code, such as those that Debian builds Go and Rust with."""

    def missing(self) -> str | None:
        return None if shutil.which("apt-get") else "apt-get"

    def fetch(self, package: Package, folder: Path, beat: Callable[[], None]) -> Path:
        command = [shutil.which("apt-get") or "apt-get", "-q", "download"]
        run_client([*command, f"{package.name}={package.version}"], folder, beat)
        return _only(folder, "*.deb")

    def tells_licence(self, path: str) -> bool:
        return path.startswith("usr/share/doc/") and path.endswith("/copyright")

    def licence(self, members: list[Member]) -> Licence:
        return debian_licence(members)

    def source_path(self, path: str) -> str:
        for prefix in ("usr/share/gocode/src/", "usr/share/cargo/registry/", "usr/share/"):
            if path.startswith(prefix):
                return path.removeprefix(prefix)
        return path


REGISTRIES: dict[str, Registry] = {"pypi": PyPI(), "npm": Npm(), "debian": Debian()}


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise DownloadFailed(f"{len(found)} archives came instead of one")
    return found[0]


def _is_licence_file(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.startswith(("licence", "license", "copying"))
