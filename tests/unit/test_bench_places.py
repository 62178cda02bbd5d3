"""The holes that `midfill bench` measures with, and what it makes of its figures."""

from __future__ import annotations

import ast

import pytest

from midfill.inference.errors import MidfillError
from midfill.inference.measuring.comparing import Tally, ratios
from midfill.inference.measuring.contender import TimedFill
from midfill.inference.measuring.figures import Spread, spread
from midfill.inference.measuring.places import BLOCK_LINES, MODULES, places
from midfill.inference.wire import Extent


@pytest.mark.parametrize("extent", [Extent.LINE, Extent.BLOCK])
def test_every_module_gives_the_same_hole_each_time(extent: Extent) -> None:
    found = places(extent)

    assert [place.name.partition(".")[0] for place in found] == list(MODULES)
    assert found == places(extent)


def test_line_holes_are_the_rest_of_one_line() -> None:
    for place in places(Extent.LINE):
        hole = place.text[place.start : place.end]
        assert "\n" not in hole
        assert hole == hole.strip() != ""
        assert place.text[place.end] == "\n"
        assert place.text[: place.start].rpartition("\n")[2].strip() == ""


def test_block_holes_are_the_bodies_of_functions() -> None:
    for place in places(Extent.BLOCK):
        hole = place.text[place.start : place.end]
        assert len(hole.splitlines()) in BLOCK_LINES
        before = place.text[: place.start]
        indent = before.rpartition("\n")[2]
        ast.parse(
            f"if 1:\n{indent}{hole}\n" if "return" not in hole else f"def f():\n{indent}{hole}\n"
        )
        ast.parse(f"{before}pass{place.text[place.end :]}")


def test_a_request_has_its_hole_where_the_text_is_missing() -> None:
    place = places(Extent.BLOCK, ["textwrap"])[0]
    cold, warm = place.request(7), place.request(7, typed=1)
    missing = place.text[place.start : place.end]

    assert cold.hole.extent is Extent.BLOCK
    assert cold.prefix.startswith("# 7\n")
    assert f"# 7\n{place.text}".startswith(cold.prefix + missing + cold.suffix[:200])
    assert warm.prefix == cold.prefix + missing[0]
    assert warm.suffix == cold.suffix
    assert place.request(8).prefix[:4] != cold.prefix[:4]
    assert place.request(7, tokens=9).limits.tokens == 9


def test_a_module_without_source_is_an_error_of_one_line() -> None:
    with pytest.raises(MidfillError, match="source of Python's module sys is not here"):
        places(Extent.LINE, ["sys"])


def test_a_spread_has_values_that_were_measured() -> None:
    assert spread([]) is None
    assert spread([4.0]) == Spread(1, 4.0, 4.0, 4.0, 4.0)
    assert spread([float(n) for n in range(101)][::-1]) == Spread(101, 50.0, 95.0, 0.0, 100.0)


def test_ratios_are_of_the_same_hole() -> None:
    ours, other = Tally(), Tally()
    for own, theirs in ((1.0, 2.0), (10.0, 10.0), (4.0, 1.0)):
        ours.cold["line"].append(TimedFill(own, 1, 1, ()))
        other.cold["line"].append(TimedFill(theirs, 1, 1, ()))

    (ratio,) = ratios("other", other, ours, ["line"])

    assert ratio.cold == Spread(3, 1.0, 2.0, 0.25, 2.0)
    assert ratio.warm is None
    other.failure = "no memory"
    assert ratios("other", other, ours, ["line"]) == ()


def test_figures_divide_fill_by_fill() -> None:
    tally = Tally()
    tally.cold["line"] += [TimedFill(2.0, 8, 4, (0.1, 0.2)), TimedFill(1.0, 0, 0, ())]
    tally.warm["line"].append(TimedFill(0.5, 6, 2, (0.3,)))

    figures = tally.figures("line")

    assert figures.cold_ms == Spread(2, 1000.0, 2000.0, 1000.0, 2000.0)
    assert figures.tokens_per_second == Spread(2, 0.0, 4.0, 0.0, 4.0)
    assert figures.tokens_per_second_warm == Spread(1, 12.0, 12.0, 12.0, 12.0)
    assert figures.tokens_per_step == Spread(2, 2.0, 3.0, 2.0, 3.0)
    assert figures.step_ms is not None
    assert figures.step_ms.n == 3
