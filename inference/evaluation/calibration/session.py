"""A whole calibration: from records to a file, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from midfill.inference.calibration_file import calibration_text
from midfill.inference.downloads.cache_folder import make_folder
from midfill.inference.errors import UsageError
from midfill.inference.evaluation.calibration.findings import (
    Judged,
    groups,
    scores_as_markdown,
    thresholds_as_markdown,
)
from midfill.inference.evaluation.calibration.fitting import chances, cross_fitted, fit
from midfill.inference.evaluation.calibration.pictures import draw_pictures
from midfill.inference.evaluation.calibration.samples import read_samples
from midfill.inference.evaluation.errors import CalibrationImpossible
from midfill.inference.training.whole_file import written_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from midfill.inference.confidence import Calibration
    from midfill.inference.evaluation.calibration.samples import Samples

OF_A_RUN = ("suite", "model", "version", "adapter", "seed", "limit", "problems_sha256")
"""What the calibration's file says of the runs that it was fitted on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        calibration: fitted on all of the records.
        report: the tables, Markdown.
        written: the files.
    """

    calibration: Calibration
    report: str
    written: tuple[Path, ...]


def calibrate(
    records: Sequence[Path],
    *,
    tests: Sequence[Path] = (),
    out: Path | None = None,
    pictures: Path | None = None,
    seed: int = 0,
) -> Outcome:
    """Fit a calibration on records, and measure it on fills that it has not seen.

    The fills of the records themselves are judged by cross-validation, whole files left out.

    Args:
        records: what to fit on.
        tests: records to measure on only.
        out: the calibration's file.
        pictures: the folder of the pictures, which is made.
        seed: of the folds and of what is drawn for intervals.

    Raises:
        RecordDamaged: a record is none.
        CalibrationImpossible: there are too few fills to fit on or none to measure on, or all are
            right or wrong.
        UsageError: the records are of several models.
        MidfillError: a file cannot be written.
    """
    samples, runs = read_samples(records)
    calibration = fit(samples)
    judged = [Judged("cross-validated", samples, cross_fitted(samples, seed))]
    for path in tests:
        unseen, of = read_samples([path])
        if not len(unseen):
            raise CalibrationImpossible(f"{path} has no fill that shows something")
        runs += of
        title = f"{of[0].get('suite', path.stem)}, not fitted on"
        judged.append(Judged(title, unseen, chances(calibration, unseen.features)))
    models = sorted({str(run.get("model")) for run in runs})
    if len(models) > 1:
        raise UsageError(f"the records are of several models: {', '.join(models)}")
    written: list[Path] = []
    if out is not None:
        provenance = _provenance(samples, runs[: len(records)], records)
        make_folder(out.absolute().parent)
        with written_whole(out) as partial:
            partial.write_text(calibration_text(calibration, provenance), "utf-8")
        written.append(out)
    if pictures is not None:
        make_folder(pictures)
        written += draw_pictures(pictures, list(groups(judged)))
    return Outcome(calibration, _report(calibration, judged, seed), tuple(written))


def _provenance(
    samples: Samples, runs: Sequence[Mapping[str, Any]], records: Sequence[Path]
) -> dict[str, Any]:
    return {
        "fills": len(samples),
        "right": int(samples.right.sum()),
        "files": len(np.unique(samples.tasks)),
        "runs": [
            {name: run[name] for name in OF_A_RUN if name in run}
            | {"record_sha256": sha256(path.read_bytes()).hexdigest()}
            for run, path in zip(runs, records, strict=True)
        ],
    }


def _report(calibration: Calibration, judged: Sequence[Judged], seed: int) -> str:
    samples = judged[0].samples
    weights = ", ".join(f"{name} {value:+.3f}" for name, value in calibration.coefficients.items())
    return (
        f"Fitted on {len(samples)} fills of {len(np.unique(samples.tasks))} files, "
        f"{int(samples.right.sum())} of them exactly right; "
        f"{samples.empty} that show nothing are left out.\n"
        f"Log-odds: {calibration.intercept:+.3f}, {weights}\n\n"
        f"{scores_as_markdown(judged, seed)}\n{thresholds_as_markdown(judged, seed)}"
    )
