"""The native operations on processors that this machine need not have."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from processors import Emulator, Processor, build, missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    return build(tmp_path_factory.mktemp("emulator"))


@pytest.mark.parametrize(
    ("processor", "chosen"),
    [
        (Processor.SAPPHIRE_RAPIDS, "avx512vnni"),
        (Processor.ICE_LAKE, "avx512vnni"),
        (Processor.SKYLAKE_X, "avx2"),  # wide registers, but no VNNI
        (Processor.ARROW_LAKE, "avxvnni"),
        (Processor.HASWELL, "avx2"),
        (Processor.SANDY_BRIDGE, "portable"),
    ],
)
def test_each_processor_is_given_its_best_instruction_set(
    emulator: Emulator, processor: Processor, chosen: str
) -> None:
    assert emulator.run(processor, "choice").strip() == chosen


def test_all_instruction_sets_of_a_processor_compute_the_same_bits(emulator: Emulator) -> None:
    outcomes: dict[str, dict[str, str]] = defaultdict(dict)
    for line in emulator.run(Processor.SAPPHIRE_RAPIDS).splitlines():
        found = re.fullmatch(r"(\S+ \S+): (\w+) ([0-9a-f]{16})", line)
        assert found, line
        case, instruction_set, bits = found.groups()
        outcomes[case][instruction_set] = bits
    assert {case.split()[0] for case in outcomes} == {"linear", "attention", "unmask"}
    assert len({bits for each in outcomes.values() for bits in each.values()}) == len(outcomes)
    for case, by_set in outcomes.items():
        assert set(by_set) == {"avx512vnni", "avxvnni", "avx2", "portable"}, case
        assert len(set(by_set.values())) == 1, (case, by_set)
