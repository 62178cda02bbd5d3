"""A whole run: problems through arms into a record, and from there into a report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from midfill.inference.downloads.verified_file import fingerprint
from midfill.inference.errors import UsageError
from midfill.inference.evaluation.arms.left_to_right import LeftToRight
from midfill.inference.evaluation.arms.midfill import Midfill
from midfill.inference.evaluation.arms.oracle_length import OracleLength
from midfill.inference.evaluation.arms.own_text import OwnText
from midfill.inference.evaluation.arms.prefix_suffix_middle import PrefixSuffixMiddle
from midfill.inference.evaluation.arms.variants import variants
from midfill.inference.evaluation.rows import make_row
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.models.catalog import catalog_entry
from midfill.inference.models.embedded.end_head import END_HEAD
from midfill.inference.models.reference import EMBEDDED, Place, model_reference
from midfill.inference.version import version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.engine import Engine
    from midfill.inference.evaluation.arms.arm import Arm
    from midfill.inference.evaluation.problems import Problem
    from midfill.inference.evaluation.record import Record
    from midfill.inference.evaluation.rows import Row
    from midfill.inference.evaluation.sandbox.runner import Sandbox


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a run has come.

    Attributes:
        rows: all that are done.
        total: how many there will be.
        seconds_left: as far as that can be told.
    """

    rows: Sequence[Row]
    total: int
    seconds_left: float | None


def arms_of(engine: Engine, *, baselines: bool, compare: str | None = None) -> tuple[Arm, ...]:
    """All arms of a run, ours first.

    Args:
        engine: loaded.
        baselines: whether there are any besides the engine's own fills.
        compare: an option of a big model; an arm for each of its other values.

    Raises:
        UsageError: the model has no baselines, or no such option.
    """
    filler = engine.filler
    if not isinstance(filler, EmbeddedFiller):
        if baselines:
            raise UsageError("--baselines are those of the embedded model; this one has none")
        return (Midfill(engine, None), *variants(engine, compare))
    if compare:
        raise UsageError(f"the embedded model has no option {compare!r} to compare")
    loaded = filler.loaded
    own = OwnText(loaded)
    ours: tuple[Arm, ...] = (Midfill(engine, own), OracleLength(loaded.tokenizer, own))
    return (*ours, LeftToRight(loaded), PrefixSuffixMiddle(loaded)) if baselines else ours


def describe_run(
    suite: str,
    model: str,
    problems: Sequence[Problem],
    *,
    seed: int,
    limit: int | None,
    baselines: bool,
    compare: str | None,
    mechanisms: Sequence[str] | None,
) -> dict[str, Any]:
    """What makes a run what it is: only rows of the same run belong together."""
    return {
        "suite": suite,
        "model": model,
        **_weights(model),
        "version": version(),
        "seed": seed,
        "limit": limit,
        "baselines": baselines,
        "compare": compare,
        "sandbox": None if mechanisms is None else list(mechanisms),
        "problems": len(problems),
        "problems_sha256": hashlib.sha256(
            repr(list(problems)).encode(errors="replace")
        ).hexdigest(),
    }


def _weights(model: str) -> dict[str, Any]:
    """What tells one set of weights from another."""
    if model == EMBEDDED:
        adapter = fingerprint(catalog_entry(model).adapter.path).sha256
        return {"adapter": adapter, "end_head": fingerprint(END_HEAD).sha256}
    reference = model_reference(model)
    if reference.place is not Place.FOLDER:
        return {"weights": reference.location}
    return {"weights": fingerprint(Path(reference.location) / "config.json").sha256}


def evaluate(
    problems: Sequence[Problem],
    arms: Sequence[Arm],
    sandbox: Sandbox | None,
    record: Record,
    listener: Callable[[Advance], None],
) -> list[Row]:
    """Fill and judge all problems that the record has no row of yet.

    Returns:
        The rows of all problems, in their order.

    Raises:
        MidfillError: a fill, a program or the record failed. What is done is in the record.
    """
    started = monotonic()
    missing = [problem for problem in problems if problem.name not in record.rows]
    for new, problem in enumerate(missing, 1):
        record.append(make_row(problem, arms, sandbox))
        left = (monotonic() - started) / new * (len(missing) - new)
        listener(Advance(list(record.rows.values()), len(problems), left))
    return [record.rows[problem.name] for problem in problems]
