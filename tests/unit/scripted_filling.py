"""`fill_hole` with a denoising loop that writes what a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference import filling
from midfill.inference.choosing import choose_greedily
from midfill.inference.filling import fill_hole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from midfill.inference.confidence import Calibration
    from midfill.inference.denoising import Step
    from midfill.inference.filling import EndDoubts, Fill, Task
    from midfill.inference.healing import Vocabulary


def scripted_fill(
    monkeypatch: pytest.MonkeyPatch,
    steps: Sequence[Step],
    task: Task,
    vocabulary: Vocabulary,
    *,
    doubts: EndDoubts | None = None,
    calibration: Calibration | None = None,
) -> Fill:
    """What `fill_hole` makes of the steps; no model is asked."""

    def denoise(*_: object, **__: object) -> Iterator[Step]:
        yield from steps

    monkeypatch.setattr(filling, "denoise", denoise)
    loop = fill_hole(
        None,  # type: ignore[arg-type]
        vocabulary,
        None,  # type: ignore[arg-type]
        [0],
        task,
        choose=choose_greedily,
        masks=3,
        believed=[],
        cancelled=lambda: False,
        doubts=doubts,
        calibration=calibration,
    )
    fills: list[Fill | None] = []

    def collect() -> Iterator[object]:
        fills.append((yield from loop))

    list(collect())
    [fill] = fills
    assert fill is not None
    return fill
