"""The record of a run: one line for what it is, then one for every row, so that it can go on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from midfill.inference.errors import UsageError
from midfill.inference.evaluation.errors import RecordDamaged
from midfill.inference.evaluation.rows import Row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Record:
    """A JSON Lines file that rows are appended to.

    Attributes:
        path: of the file.
        rows: those that are in it, by the names of their problems.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], *, restart_if_complete: bool) -> None:
        """Continue the record in ``path``, or begin one.

        Args:
            path: of the file; its folder is made.
            run: what the run is: JSON values, ``problems`` among them, their number.
            restart_if_complete: begin anew if all rows are there already.

        Raises:
            UsageError: the file holds the record of another run.
            RecordDamaged: it is no record, or cannot be read or written.
        """
        self.path = path
        self.rows: dict[str, Row] = {}
        wanted = json.loads(json.dumps(run))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes() if path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]  # the last line may have been cut off
            if whole:
                self._read(whole, wanted)
            if not whole or (restart_if_complete and len(self.rows) >= run["problems"]):
                self.rows.clear()
                path.write_text(json.dumps({"run": wanted}) + "\n", encoding="utf-8")
            elif len(whole) < len(content):
                with path.open("r+b") as file:
                    file.truncate(len(whole))
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise RecordDamaged(f"cannot use {path}: {error.strerror or error}") from None

    def append(self, row: Row) -> None:
        """Write a row; nothing of it is lost from then on.

        Raises:
            RecordDamaged: the disk does not take it.
        """
        try:
            self._file.write(json.dumps(asdict(row)) + "\n")
            self._file.flush()
        except OSError as error:
            raise RecordDamaged(f"cannot write to {self.path}: {error.strerror}") from None
        self.rows[row.name] = row

    def close(self) -> None:
        self._file.close()

    def _read(self, content: bytes, wanted: object) -> None:
        try:
            run, rows = _parsed(content)
        except (ValueError, TypeError, KeyError):
            raise RecordDamaged(
                f"{self.path} is no intact record of an evaluation; name another file with --out"
            ) from None
        if run != wanted:
            raise UsageError(
                f"{self.path} is the record of another run; name another file with --out"
            )
        self.rows = {row.name: row for row in rows}


def read_record(path: Path) -> tuple[Mapping[str, Any], list[Row]]:
    """What a run was, and the rows that are in its record, whether or not it is complete.

    Raises:
        RecordDamaged: the file is no record, or cannot be read.
    """
    try:
        content = path.read_bytes()
        run, rows = _parsed(content[: content.rfind(b"\n") + 1])
        if not isinstance(run, dict):
            raise TypeError
    except OSError as error:
        raise RecordDamaged(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError):
        raise RecordDamaged(
            f"{path} is no intact record of an evaluation: write one with `midfill eval --out FILE`"
        ) from None
    return run, rows


def _parsed(content: bytes) -> tuple[Any, list[Row]]:
    """The run and the rows of whole lines.

    Raises:
        ValueError, TypeError, KeyError: they are none.
    """
    first, *others = [json.loads(line) for line in content.splitlines()]
    return first["run"], [Row(**row) for row in others]
