"""What a package itself says about its licence."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from midfill.inference.training.corpus.licences import is_permissive, permissive_name

if TYPE_CHECKING:
    from midfill.inference.training.corpus.archives import Member

UNKNOWN = "unknown"

_TEXTS = (
    ("GPL", r"GNU (LESSER |LIBRARY |AFFERO )?GENERAL PUBLIC LICENSE"),
    ("MPL-2.0", r"Mozilla Public License"),
    ("Apache-2.0", r"Apache License\s+Version 2\.0"),
    ("MIT", r"Permission is hereby granted, free of charge, to any person obtaining"),
    ("ISC", r"Permission to use, copy, modify, and(/or)? distribute this software for any purpose"),
    ("BSD", r"Redistribution and use in source and binary forms, with or without\s+modification"),
)
"""How the texts of licences begin. Those that are not on the list come first."""


@dataclass(frozen=True, slots=True)
class Licence:
    """A package's licence.

    Attributes:
        expression: as the package states it, on one line.
        evidence: where it states it.
        permissive: whether the corpus may have the package.
    """

    expression: str
    evidence: str
    permissive: bool


def wheel_licence(members: list[Member]) -> Licence:
    """From METADATA: the expression, else the classifiers, else the field, else the text."""
    stated = next((one for one in members if one.path.endswith("/METADATA")), None)
    headers = HeaderParser().parsestr(_text(stated) if stated else "")
    if expression := headers.get("License-Expression"):
        return _stated(str(expression), "License-Expression")
    classifiers = [
        str(one).rpartition(" :: ")[2]
        for one in headers.get_all("Classifier", [])
        if str(one).startswith("License :: ") and str(one) != "License :: OSI Approved"
    ]
    if classifiers:
        return Licence(
            " AND ".join(classifiers), "classifiers", all(map(is_permissive, classifiers))
        )
    field = str(headers.get("License", "")).strip()
    if field and "\n" not in field and field != "UNKNOWN":
        return _stated(field, "License")
    return _by_text([field, *map(_text, members)])


def npm_licence(members: list[Member]) -> Licence:
    """From package.json, in its present form and in the one of long ago, else the text."""
    stated = next((one for one in members if one.path.endswith("package.json")), None)
    try:
        manifest = json.loads(_text(stated)) if stated else {}
    except ValueError:
        manifest = {}
    licence = manifest.get("license") or manifest.get("licenses")
    many = licence if isinstance(licence, list) else [licence]
    names = [one.get("type") if isinstance(one, dict) else one for one in many if one]
    if names and None not in names:
        return _stated(" OR ".join(map(str, names)), "package.json")
    return _by_text([_text(one) for one in members if one is not stated])


def debian_licence(members: list[Member]) -> Licence:
    """From the copyright file: the licences of all files but Debian's own."""
    if not members:
        return Licence(UNKNOWN, "no copyright file", False)
    text = _text(members[0])
    licences: dict[str, None] = {}
    for paragraph in re.split(r"\n\s*\n", text):
        files = re.search(r"^Files:\s*(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE)
        licence = re.search(r"^License:[ \t]*(.+)", paragraph, re.MULTILINE)
        if files and licence and not files[1].strip().startswith("debian/"):
            licences[licence[1].strip()] = None
    if not licences:
        return _by_text([text])
    return Licence("; ".join(licences), "copyright file", all(map(is_permissive, licences)))


def _stated(expression: str, evidence: str) -> Licence:
    name = permissive_name(expression) or " ".join(expression.split())[:200]
    return Licence(name, evidence, is_permissive(expression))


def _by_text(texts: list[str]) -> Licence:
    """Only if the texts agree on being permissive."""
    found = dict.fromkeys(
        name for text in texts for name, words in _TEXTS if re.search(words, text, re.IGNORECASE)
    )
    if not found:
        return Licence(UNKNOWN, "nothing states it", False)
    return Licence(" AND ".join(found), "licence text", all(map(is_permissive, found)))


def _text(member: Member) -> str:
    return member.data.decode("utf-8", "replace")
