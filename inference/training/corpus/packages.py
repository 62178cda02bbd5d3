"""Which packages the corpus is made from: the list in ``packages.toml``."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRAIN = "train"
HELD_OUT = "held-out"

PACKAGE_LIST = Path(__file__).with_name("packages.toml")


@dataclass(frozen=True, slots=True)
class Package:
    """One package of a registry, and what is wanted from it.

    Attributes:
        registry: ``pypi``, ``npm`` or ``debian``.
        split: ``train`` or ``held-out``.
        languages: files in these are taken.
        only: patterns with ``*`` that a file's path must match one of; any path if empty.
    """

    registry: str
    name: str
    version: str
    split: str
    languages: tuple[str, ...]
    only: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A file name of its own."""
        return f"{self.registry}-{re.sub(r'[^A-Za-z0-9.+-]+', '_', self.name)}"

    def fingerprint(self) -> str:
        """Changes with everything that decides what is taken from the package."""
        wanted = [self.registry, self.name, self.version, self.languages, self.only]
        return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PackageList:
    """Packages to learn from, and packages with the problems that Midfill is measured by."""

    packages: tuple[Package, ...]
    benchmarks: tuple[Package, ...]

    def of_languages(self, languages: tuple[str, ...]) -> tuple[Package, ...]:
        """The packages that have files in one of these languages."""
        return tuple(one for one in self.packages if set(one.languages) & set(languages))


def read_package_list(path: Path = PACKAGE_LIST) -> PackageList:
    """Read a list of packages, in the order in which they stand there."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    packages = tuple(one for group in document.get("group", ()) for one in _members(group))
    benchmarks = tuple(one for group in document.get("benchmark", ()) for one in _members(group))
    return PackageList(packages, benchmarks)


def _members(group: dict[str, Any]) -> list[Package]:
    return [
        Package(
            registry=group["registry"],
            name=name,
            version=version,
            split=group.get("split", TRAIN),
            languages=tuple(group.get("languages", ())),
            only=tuple(group.get("only", ())),
        )
        for name, version in group["packages"].items()
    ]
