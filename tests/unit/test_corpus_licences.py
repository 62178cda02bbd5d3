"""Whose code may be learned from."""

from __future__ import annotations

import json

import pytest

from midfill.inference.training.corpus.archives import Member
from midfill.inference.training.corpus.licence_evidence import (
    debian_licence,
    npm_licence,
    wheel_licence,
)
from midfill.inference.training.corpus.licences import is_permissive

MIT = "Permission is hereby granted, free of charge, to any person obtaining a copy"


@pytest.mark.parametrize(
    "expression",
    [
        *("MIT", "mit", "BSD-3-Clause", "Apache License, Version 2.0", "ISC", "PSF-2.0", "Zlib"),
        *("MIT OR GPL-3.0-only", "(MIT OR Apache-2.0) AND BSD-2-Clause", "MIT/Apache-2.0"),
        *("Apache-2.0 WITH LLVM-exception", "Expat and BSD-3-clause", "GPL-2+ or Expat"),
        *("MIT License", "BSD 3-Clause License", "The Unlicense (Unlicense)"),
    ],
)
def test_permissive_licences_are_known_however_they_are_spelt(expression: str) -> None:
    assert is_permissive(expression)


@pytest.mark.parametrize(
    "expression",
    [
        *("GPL-3.0-or-later", "MPL-2.0", "LGPL-2.1", "MIT AND GPL-2.0-only", "", "Proprietary"),
        *("(MIT OR Apache-2.0", "SEE LICENSE IN LICENSE.md", "UNLICENSED", "MIT, GPL-2+"),
        *("(MIT OR GPL-2.0) AND LGPL-3.0", "OR", "MIT OR", "()", "MIT)"),
    ],
)
def test_any_other_licence_is_refused(expression: str) -> None:
    assert not is_permissive(expression)


@pytest.mark.parametrize(
    ("headers", "permissive"),
    [
        ("License-Expression: MIT", True),
        ("License-Expression: MPL-2.0\nClassifier: License :: OSI Approved :: MIT License", False),
        ("Classifier: License :: OSI Approved :: BSD License\nLicense: see file", True),
        (
            "Classifier: License :: OSI Approved :: MIT License\n"
            "Classifier: License :: OSI Approved :: GNU General Public License (GPL)",
            False,
        ),
        ("License: Apache 2.0", True),
        ("License: UNKNOWN", False),
        ("Name: x", False),
    ],
)
def test_a_wheel_states_its_licence_in_its_metadata(headers: str, permissive: bool) -> None:
    metadata = Member("x-1.dist-info/METADATA", f"{headers}\n\nText\n".encode())
    assert wheel_licence([metadata]).permissive is permissive


def test_a_licence_text_counts_where_nothing_else_does() -> None:
    metadata = Member("x-1.dist-info/METADATA", b"Name: x\n")
    text = Member("x-1.dist-info/LICENSE", MIT.encode())
    mixed = Member("x-1.dist-info/COPYING", f"{MIT}\nGNU GENERAL PUBLIC LICENSE".encode())
    assert wheel_licence([metadata, text]).permissive
    assert not wheel_licence([metadata, mixed]).permissive


@pytest.mark.parametrize(
    ("manifest", "permissive"),
    [
        ({"license": "MIT"}, True),
        ({"license": {"type": "BSD", "url": "x"}}, True),
        ({"licenses": [{"type": "GPL-2.0"}, {"type": "MIT"}]}, True),
        ({"license": "UNLICENSED"}, False),
        ({}, False),
    ],
)
def test_an_npm_package_states_it_in_package_json(
    manifest: dict[str, object], permissive: bool
) -> None:
    member = Member("package/package.json", json.dumps(manifest).encode())
    assert npm_licence([member]).permissive is permissive


def test_a_debian_package_is_as_free_as_its_least_free_file() -> None:
    free = b"Files: *\nLicense: Expat\n\nFiles: debian/*\nLicense: GPL-3\n"
    unfree = free + b"\nFiles: src/a.c\nCopyright: x\nLicense: GPL-2+\n"
    assert debian_licence([Member("copyright", free)]).permissive
    assert not debian_licence([Member("copyright", unfree)]).permissive
    assert not debian_licence([]).permissive
