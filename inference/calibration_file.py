"""The file of a calibration: JSON, small enough to read by eye."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from midfill.inference.confidence import FALLING, FEATURES, RISING, Calibration
from midfill.inference.errors import CalibrationDamaged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1

Coefficient = Annotated[float, Field(allow_inf_nan=False)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal[1]
    intercept: Coefficient
    coefficients: dict[str, Coefficient]
    fitted_on: dict[str, Any] = {}
    """Where it comes from, for people."""

    @model_validator(mode="after")
    def _monotone(self) -> _File:
        if self.coefficients.keys() != set(FEATURES):
            raise ValueError(f"the coefficients must be those of {', '.join(FEATURES)}")
        if any(self.coefficients[name] < 0 for name in RISING):
            raise ValueError(f"no coefficient of {', '.join(RISING)} may be negative")
        if any(self.coefficients[name] > 0 for name in FALLING):
            raise ValueError(f"no coefficient of {', '.join(FALLING)} may be positive")
        return self


def read_calibration(path: Path) -> Calibration:
    """Read a calibration's file.

    Raises:
        CalibrationDamaged: it is missing, damaged, or of another version.
    """
    try:
        content = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        why = error.strerror or str(error)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        why = f"{where}: {first['msg']}" if where else first["msg"]
    else:
        return Calibration(content.intercept, content.coefficients)
    why = " ".join(why.split())
    raise CalibrationDamaged(
        f"the calibration {path} cannot be read ({why}): "
        "install Midfill again, or write it anew with `midfill calibrate`"
    )


def calibration_text(calibration: Calibration, fitted_on: Mapping[str, Any]) -> str:
    """What a calibration's file holds.

    Args:
        calibration: what to write.
        fitted_on: where it comes from, JSON values.
    """
    content = {
        "format": FORMAT,
        "intercept": round(calibration.intercept, 6),
        "coefficients": {name: round(calibration.coefficients[name], 6) for name in FEATURES},
        "fitted_on": dict(fitted_on),
    }
    return json.dumps(content, indent=2) + "\n"
