"""Errors that cross the wire by a short name."""

from __future__ import annotations

import pytest

from midfill.inference.errors import MidfillError, OutOfMemory, UsageError
from midfill.inference.failures import error_of, failure_of


@pytest.mark.parametrize("kind", [MidfillError, OutOfMemory, UsageError])
def test_an_error_comes_back_as_what_it_was(kind: type[MidfillError]) -> None:
    error = error_of(failure_of(kind("no")))

    assert type(error) is kind
    assert str(error) == "no"


def test_a_class_without_a_name_of_its_own_stands_for_no_other() -> None:
    class Refined(MidfillError):
        """Known to one module only."""

    assert type(error_of(failure_of(Refined("no")))) is MidfillError
