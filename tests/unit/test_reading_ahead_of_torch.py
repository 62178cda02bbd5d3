"""Reading the tokenizer while torch is imported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.embedded import reading_ahead
from midfill.inference.models.embedded.reading_ahead import read_ahead, read_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.embedded.files import EmbeddedFiles


def count_readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []

    class Counting(reading_ahead.Tokenizer):
        def __init__(self, path: Path) -> None:
            read.append(path)
            super().__init__(path)

    monkeypatch.setattr(reading_ahead, "Tokenizer", Counting)
    return read


def test_what_was_read_ahead_is_not_read_again(
    embedded_files: EmbeddedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_readings(monkeypatch)
    read_ahead()
    read_ahead()
    tokenizer = read_tokenizer(embedded_files.tokenizer)
    assert read == [embedded_files.tokenizer]
    assert tokenizer.decode(tokenizer.encode("x = 1")) == "x = 1"

    read_tokenizer(embedded_files.tokenizer)
    assert len(read) == 2  # handed out once; what is unloaded does not stay in memory


def test_what_has_been_made_anew_is_read_anew(
    tmp_path: Path, embedded_files: EmbeddedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path))
    folder = reading_ahead.embedded_folder().path
    folder.mkdir(parents=True)
    path = folder / "tokenizer.json"
    path.write_text("{}")
    read_ahead()
    path.write_bytes(embedded_files.tokenizer.read_bytes())
    os.utime(path, ns=(1, 1))
    assert read_tokenizer(path).encode("x")


def test_a_damaged_one_is_reported_to_whoever_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path))
    read_ahead()  # nothing is there yet: nothing happens
    folder = reading_ahead.embedded_folder().path
    folder.mkdir(parents=True)
    path = folder / "tokenizer.json"
    path.write_text("{}")
    read_ahead()
    with pytest.raises(WeightsCorrupt):
        read_tokenizer(path)
