"""Which licences let anybody learn from the code: a list, and how to read licence expressions."""

from __future__ import annotations

import re

_SAME = {
    "MIT": "mit, expat, mit license, the mit license, mit licence, x11, mit (expat), mit/x11",
    "MIT-0": "mit-0, mit no attribution license (mit-0), mit no attribution",
    "MIT-CMU": "mit-cmu, hpnd, historical permission notice and disclaimer (hpnd), cmu",
    "0BSD": "0bsd, zero-clause bsd (0bsd)",
    "BSD": "bsd, bsd license, bsd style, bsd-like, bsd licence, bsd-style",
    "BSD-2-Clause": (
        "bsd-2-clause, bsd-2, bsd 2-clause, bsd 2-clause license, 2-clause bsd, simplified bsd, "
        "bsd-2-clause-views, bsd2, the bsd 2-clause license, 2-clause bsd license"
    ),
    "BSD-3-Clause": (
        "bsd-3-clause, bsd-3, bsd 3-clause, bsd 3-clause license, 3-clause bsd, new bsd, "
        "new bsd license, modified bsd license, bsd-3-clause license, 3-clause bsd license, bsd3, "
        "bsd 3 clause, the bsd 3-clause license, revised bsd, bsd-3-clause-google, bsd-new, "
        "bsd-3-clause~google, bsd-3-clause-attribution, go, bsd-style~go"
    ),
    "Apache-2.0": (
        "apache-2.0, apache 2.0, apache 2, apache-2, apache2, apache license 2.0, apache2.0, "
        "apache license, apache software license, apache license version 2.0, apache, "
        "apache software license 2.0, apache license v2.0, "
        "apache-2.0 license, apache 2.0 license, the apache license"
    ),
    "ISC": "isc, isc license, isc license (iscl), iscl",
    "PSF-2.0": (
        "psf-2.0, psf, python-2.0, python software foundation license, psfl, cnri-python, "
        "psf license, python license (cnri python license), python-2.0.1"
    ),
    "Zlib": "zlib, zlib/libpng, zlib/libpng license, libpng-2.0, libpng",
    "BSL-1.0": "bsl-1.0, boost software license 1.0 (bsl-1.0), boost-1.0",
    "Unlicense": "unlicense, the unlicense, the unlicense (unlicense)",
    "CC0-1.0": "cc0-1.0, cc0, cc0 1.0 universal (cc0 1.0) public domain dedication",
    "public domain": "public domain, public-domain",
    "BlueOak-1.0.0": "blueoak-1.0.0",
    "Unicode-3.0": "unicode-3.0, unicode-dfs-2016, unicode-data, unicode",
    "NCSA": "ncsa, university of illinois/ncsa open source license, uoi-ncsa",
    "W3C": "w3c, w3c-20150513",
    "NAIST-2003": "naist-2003",
}
_PERMISSIVE = {alias: name for name, aliases in _SAME.items() for alias in aliases.split(", ")}

_EXCEPTION = re.compile(r"\s+with\s+[\w.-]+(\s+exception)?", re.IGNORECASE)
_OPERATOR = re.compile(r"\s+(and|or)\s+|([()/;,])", re.IGNORECASE)


def permissive_name(licence: str) -> str | None:
    """The SPDX name of one permissive licence, however it is spelt; None for any other."""
    spelt = re.sub(r"[\s_]+", " ", licence).strip(" .\"'").lower()
    spelt = re.sub(r",? version ", " ", spelt)
    return _PERMISSIVE.get(spelt)


def is_permissive(expression: str) -> bool:
    """Whether what an expression allows includes terms from the list.

    Knows ``AND``, ``OR``, ``WITH`` and brackets, as SPDX and Debian write them; a slash is an
    ``OR``, a comma or a semicolon an ``AND``.
    """
    if permissive_name(expression):
        return True
    bare = _EXCEPTION.sub("", expression)
    # an exception only ever allows more
    tokens = [part.strip() for part in _OPERATOR.split(bare) if part and part.strip()]
    try:
        allowed, rest = _any_of(tokens)
    except IndexError:
        return False
    return allowed and not rest


def _any_of(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, rest = _all_of(tokens)
    while rest and rest[0].lower() in ("or", "/"):
        other, rest = _all_of(rest[1:])
        allowed = allowed or other
    return allowed, rest


def _all_of(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, rest = _one(tokens)
    while rest and rest[0].lower() in ("and", ",", ";"):
        other, rest = _one(rest[1:])
        allowed = allowed and other
    return allowed, rest


def _one(tokens: list[str]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        allowed, rest = _any_of(tokens[1:])
        if rest[0] != ")":
            return False, rest
        return allowed, rest[1:]
    return permissive_name(tokens[0]) is not None, tokens[1:]
