"""What can go wrong in an evaluation."""

from __future__ import annotations

from midfill.inference.errors import MidfillError


class DataMissing(MidfillError):
    """The data of a suite is not where it was looked for."""

    code = "data-missing"


class DataDamaged(MidfillError):
    """A data file that is not what it should be."""

    code = "data-damaged"


class RecordDamaged(MidfillError):
    """The record of a run cannot be read or written, or is of another run."""

    code = "record-damaged"


class CalibrationImpossible(MidfillError):
    """Fills that no calibration can be fitted on: too few, or all alike."""

    code = "calibration-impossible"
