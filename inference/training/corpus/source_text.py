"""What training learns from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceText:
    """One source file.

    Attributes:
        package: the package it came in, or the folder of the repository.
        path: where it lies in that, with forward slashes.
        language: as `languages.language_of` names it.
        text: all of it, with ``\\n`` at the ends of lines.
    """

    package: str
    path: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Source files to train on, and others to measure on that are never trained on."""

    train: tuple[SourceText, ...]
    held_out: tuple[SourceText, ...]
