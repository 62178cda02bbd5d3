"""Growth: the same lines at every size, and one figure for whether latency grows with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bench_writers import CODE, FakeWriter

from midfill.inference.errors import MidfillError
from midfill.inference.measuring.replay import growth_server
from midfill.inference.measuring.replay.growth import (
    LINES_EACH,
    LINES_EACH_FILE,
    WARM_EACH,
    GrowthSample,
    Series,
    growth_points,
    in_a_file_of,
    long_file,
    measure_growth,
)
from midfill.inference.measuring.replay.growth_verdicts import growth_verdicts
from midfill.inference.measuring.replay.sources import SourceFile
from midfill.inference.measuring.replay.typed_line import choose_lines
from midfill.inference.progress import nobody_listens
from midfill.inference.prompt import build_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.tokenizer import Tokenizer

OTHER = SourceFile("other.py", "\n".join(f"value_{n} = {n} + {n}" for n in range(30)), "python")


def measured(writer: FakeWriter, **sizes: Sequence[int]) -> list[GrowthSample]:
    none = {"file_lines": (), "hole_tokens": (), "documents": ()}
    return [*measure_growth(writer, (CODE, OTHER), 0, nobody_listens, **{**none, **sizes})]


def test_every_size_is_measured_as_often() -> None:
    samples = measured(
        FakeWriter("midfill"), file_lines=(50, 400), hole_tokens=(1, 16), documents=(1, 3, 8)
    )

    assert {(point.series, point.size): point.ms.n for point in growth_points(samples)} == {
        **{(Series.FILE_LINES, size): LINES_EACH_FILE * WARM_EACH for size in (50, 400)},
        **{(Series.FILE_LINES_COLD, size): LINES_EACH_FILE for size in (50, 400)},
        **{(Series.HOLE_TOKENS, size): LINES_EACH for size in (1, 16)},
        **{(Series.DOCUMENTS, size): LINES_EACH * WARM_EACH for size in (1, 3, 8)},
        (Series.DOCUMENTS_BACK, 3): 2,
        (Series.DOCUMENTS_BACK, 8): LINES_EACH,
    }
    assert all(sample.ms >= 10 for sample in samples)


def test_a_line_is_typed_in_the_same_surroundings_whatever_the_size() -> None:
    for line in choose_lines((CODE, OTHER), 6, 1):
        for size in (1, 2, 5, 100, 1001):
            placed = in_a_file_of((CODE, OTHER), line, size)
            text = placed.file.text
            assert text.count("\n") + 1 == size
            assert text[placed.start : placed.end] == line.file.text[line.start : line.end]
            assert text.split("\n")[placed.number - 1].strip() == text[placed.start : placed.end]
        small, large = (in_a_file_of((CODE, OTHER), line, size).request(4) for size in (20, 2000))
        assert large.prefix.endswith(small.prefix)
        assert large.suffix.startswith(small.suffix)


def test_long_files_give_the_model_the_same_to_read(tokenizer: Tokenizer) -> None:
    files = (CODE, OTHER)
    for line in choose_lines(files, 6, 1):
        typed = [in_a_file_of(files, line, size).request(4) for size in (1000, 2000, 10_000)]
        first, *others = (build_prompt(tokenizer, it.prefix, it.suffix).tokens for it in typed)
        assert others == [first] * 2


def test_sizes_of_files_take_turns_and_each_file_is_new() -> None:
    writer = FakeWriter("midfill")
    samples = measured(writer, file_lines=(10, 100))

    sizes = [sample.size for sample in samples]
    assert sizes == [*[10] * (1 + WARM_EACH), *[100] * (1 + WARM_EACH)] * LINES_EACH_FILE
    assert sum(what == "new" for _, what in writer.calls) == 2 * LINES_EACH_FILE


def test_a_hole_begins_with_no_more_than_a_token_believed() -> None:
    writer = FakeWriter("midfill")
    measured(writer, hole_tokens=(16, 256))

    tokens = [request.limits.tokens for request in writer.requests]
    assert tokens == [1, 16, 1, 256] * LINES_EACH


def test_documents_stay_open_while_one_is_typed_in() -> None:
    writer = FakeWriter("midfill")
    measured(writer, documents=(1, 3))

    assert [what for _, what in writer.calls].count("new") == 1
    starts = [request.prefix.partition("\n")[0] for request in writer.requests]
    typed = ["def price_0(basket):"] * LINES_EACH * (1 + WARM_EACH)
    assert starts == [*typed, "# 1", "# 2", *typed, "# 1", "# 2"]


def test_a_long_file_has_as_many_lines_as_it_should() -> None:
    for lines in (1, 50, 1000):
        assert long_file((CODE,), lines).text.count("\n") + 1 == lines


def warm(size: int, *times: float) -> list[GrowthSample]:
    return [GrowthSample(Series.FILE_LINES, size, line, 1, ms, 5) for line, ms in enumerate(times)]


def test_the_same_requests_at_ten_times_the_size_are_compared() -> None:
    [verdict] = growth_verdicts([*warm(100, 10, 20), *warm(1000, 11, 21), *warm(2000, 99, 99)])

    assert (verdict.small, verdict.large, verdict.times.n) == (100, 1000, 2)
    assert verdict.times.speedup == pytest.approx(32 / 30)
    assert verdict.met


def test_what_the_language_server_takes_counts_as_well() -> None:
    share = [
        GrowthSample(Series.FILE_LINES_SERVER, size, number, 0, ms)
        for size, ms in ((100, 1.0), (1000, 9.0))
        for number in range(3)
    ]
    [alone] = growth_verdicts([*warm(100, 10), *warm(1000, 11)])
    [both] = growth_verdicts([*warm(100, 10), *warm(1000, 11), *share])

    assert alone.met
    assert both.times.speedup == pytest.approx(20 / 11)
    assert not both.met


def test_a_run_that_was_broken_off_compares_what_there_is() -> None:
    assert growth_verdicts([]) == ()
    assert growth_verdicts(warm(100, 10)) == ()
    [verdict] = growth_verdicts([*warm(100, 10, 20), *warm(1000, 10)])
    assert verdict.times.n == 1


def test_the_real_language_server_is_measured_at_every_size() -> None:
    body = "def f(self):\n    self.total = first\n    return total\n\n\n"
    file = SourceFile("f.py", body * 20, "python")
    samples = [
        *growth_server.measure_server_growth(
            (file,), nobody_listens, file_lines=(50, 100), documents=(1, 3), rounds=1
        )
    ]

    found = {(point.series, point.size): point.ms for point in growth_points(samples)}
    assert [*found] == [
        (Series.FILE_LINES_SERVER, 50),
        (Series.FILE_LINES_SERVER, 100),
        (Series.DOCUMENTS_SERVER, 1),
        (Series.DOCUMENTS_SERVER, 3),
    ]
    assert all(0 < ms.median < 10_000 for ms in found.values())


def test_code_without_a_place_to_edit_at_is_one_clear_line() -> None:
    file = SourceFile("f.py", "import a\n" * 40, "python")
    with pytest.raises(MidfillError, match="the language server could not be measured: no line"):
        [*growth_server.measure_server_growth((file,), nobody_listens, file_lines=(50,), rounds=1)]
