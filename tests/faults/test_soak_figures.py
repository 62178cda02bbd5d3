"""What a soak counts as growth."""

from __future__ import annotations

from collections import Counter

import pytest
from soak import GROWTH_MIB, SPARE_FILES, Load, Sample, faults_in, figures_of

MIB = 2**20


def samples(
    *, per_minute: float = 0.0, warming: float = 0.0, files: int = 0, threads: int = 0
) -> list[Sample]:
    """Ten minutes, a look every two seconds.

    Args:
        per_minute: MiB by which it grows all the time.
        warming: MiB that are taken in the first three minutes.
        files, threads: that come in the last minute.
    """
    found = []
    for second in range(0, 600, 2):
        size = 700 + per_minute * second / 60 + warming * min(1, second / 180)
        # an allocator that takes and gives back
        size += 6 if second // 10 % 2 else 0
        late = second > 540
        found.append(
            Sample(second, int(size * MIB), int(size * MIB), 30 + files * late, 9 + threads * late)
        )
    return found


def faults(found: list[Sample], **load: object) -> list[str]:
    return faults_in(figures_of(found), Load(0.0, Counter(), **load))  # type: ignore[arg-type]


def test_what_fills_up_at_first_is_no_growth() -> None:
    assert faults(samples(warming=100)) == []
    assert figures_of(samples(warming=100))["rss_growth_mib"] == pytest.approx(0, abs=2)


def test_what_grows_all_the_time_is() -> None:
    assert faults(samples(per_minute=GROWTH_MIB / 10)) == []
    [fault] = faults(samples(per_minute=GROWTH_MIB / 5))
    assert fault.startswith("memory grew by 3")


def test_files_and_threads_that_stay_are_told() -> None:
    assert faults(samples(files=SPARE_FILES)) == []
    assert "open files" in faults(samples(files=SPARE_FILES + 1))[0]
    assert "threads" in faults(samples(threads=1))[0]


def test_a_wrong_answer_is_told() -> None:
    assert faults(samples(), wrong=["500 instead of 422"]) == ["a wrong answer: 500 instead of 422"]
