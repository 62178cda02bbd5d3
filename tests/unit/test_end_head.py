"""The end head, on synthetic states, and what is decided by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from midfill.inference.ending import (
    NOWHERE,
    Bars,
    LikelyEnd,
    end_at_limit,
    likelier_end,
    may_end,
    overdue_end,
)
from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.embedded.end_features import NAMES, TokenTables, scalar_features
from midfill.inference.models.embedded.end_head import (
    FEATURES,
    EndHead,
    EndWeights,
    end_head_file,
    read_end_head,
)
from midfill.inference.stopping import Ending, Surroundings
from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = 16
TABLES = TokenTables(
    breaks=torch.tensor([1]),
    with_break=torch.tensor([1, 2]),
    blank=torch.tensor([1, 3]),
    ends=torch.tensor([0]),
)
BARS = Bars(sure=0.7, patience=8, possible=0.3)


def head(width: int = WIDTH) -> EndHead:
    torch.manual_seed(0)
    weights = EndWeights(
        feature_mean=torch.zeros(FEATURES),
        feature_scale=torch.ones(FEATURES),
        state_mean=torch.zeros(width),
        state_scale=torch.ones(width),
        features=torch.randn(FEATURES) * 0.05,
        products=torch.randn(FEATURES, FEATURES).triu() * 0.01,
        state=torch.randn(width) * 0.1,
        bias=torch.tensor(0.5),
    )
    return EndHead(weights, TABLES, BARS)


def test_features_are_log_probabilities_of_the_suffixs_tokens() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, 3.0, 5.0], [0.0, 9.0, 2.0, 3.0, 4.0]])
    expected = logits.log_softmax(-1)
    found = scalar_features(logits, [1, 3, 4], TABLES)
    named = dict(zip(NAMES, found.T, strict=True))
    assert found.shape == (2, len(NAMES))
    torch.testing.assert_close(named["first"], expected[:, 1])
    torch.testing.assert_close(named["visible"], expected[:, 4])
    torch.testing.assert_close(named["all"], expected[:, [1, 3, 4]].mean(-1))
    torch.testing.assert_close(named["contains_break"], expected[:, [1, 2]].logsumexp(-1))
    torch.testing.assert_close(named["rank"], torch.tensor([3.0, 0.0]).log1p())
    assert named["leads"].tolist() == [0.0, 1.0]
    assert named["starts_blank"].tolist() == [1.0, 1.0]


def test_a_short_suffix_has_all_features_too() -> None:
    assert scalar_features(torch.zeros(1, 5), [1], TABLES).isfinite().all()


def test_chances_are_those_of_a_logistic_regression_row_by_row() -> None:
    one, states, logits = head(), torch.randn(4, WIDTH), torch.randn(4, 40)
    found = one.probability(states.bfloat16(), logits, [5, 6, 7], in_line=True)
    assert found.shape == (4,)
    assert found.dtype == torch.float32
    assert ((found > 0) & (found < 1)).all()
    x = torch.cat((scalar_features(logits[2:3], [5, 6, 7], TABLES), torch.ones(1, 1)), -1)
    x = x.clamp(-5, 5)[0]
    weights = one.weights
    odds = x @ weights.features + x @ weights.products @ x + 0.5
    odds = odds + states[2].bfloat16().float().clamp(-5, 5) @ weights.state
    torch.testing.assert_close(found[2], odds.sigmoid())


def test_the_place_counts() -> None:
    one, states, logits = head(), torch.randn(1, WIDTH), torch.randn(1, 40)
    behind = [one.probability(states, logits, [5], in_line=place) for place in (True, False)]
    assert behind[0] != behind[1]


def test_a_head_survives_its_file(tmp_path: Path) -> None:
    one = head()
    tensors, metadata = end_head_file(one)
    save_file(tensors, tmp_path / "head", metadata)
    again = read_end_head(tmp_path / "head", WIDTH)
    assert again.bars == BARS
    arguments = torch.randn(3, WIDTH), torch.randn(3, 40), [5, 6]
    torch.testing.assert_close(
        again.probability(*arguments, in_line=False), one.probability(*arguments, in_line=False)
    )


def test_a_damaged_or_foreign_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(b"no tensors")
    tensors, metadata = end_head_file(head())
    save_file(tensors, tmp_path / "foreign", metadata)
    save_file(tensors, tmp_path / "old", {**metadata, "format": "0"})
    for name, message in (
        ("missing", "cannot be read"),
        ("damaged", "cannot be read"),
        ("foreign", "another model"),
        ("old", "another version"),
    ):
        with pytest.raises(WeightsCorrupt, match=message) as caught:
            read_end_head(tmp_path / name, 8)
        assert "\n" not in str(caught.value)


def test_the_shipped_head_is_for_the_embedded_model() -> None:
    shipped = read_end_head(width=896)
    assert shipped.bars.patience > 0
    arguments = torch.randn(4, 896), torch.randn(4, 151_936), [198, 262, 470]
    assert shipped.probability(*arguments, in_line=False).shape == (4,)


LINES = Surroundings.of("def f():\n    ", "\n    return total\n", Extent.LINES, "_")


@pytest.mark.parametrize(
    ("middle", "following", "may"),
    [
        ("", "\n", False),
        ("  \n", "x", False),
        ("a = 1", "\n", True),
        ("a = 1", ")", False),
        ("a = 1", "\n\n", True),
        ("a = 1\n", "   ", True),
        ("a = 1\n   ", " return", True),
        ("a = 1\n   ", " retry", False),
        ("a = 1\n       ", " return", False),
        ("a = 1\n", "return", False),
        ("a = 1\n    ", "\n", True),
    ],
)
def test_whole_lines_end_where_what_is_written_may_go_on_as_the_suffix_does(
    middle: str, following: str, may: bool
) -> None:
    assert may_end(middle, following, LINES) == may


def test_the_likeliest_place_counts_and_of_equals_the_first() -> None:
    places = [("a = 1", "\n", 0.2), ("a = 1\nb = 2", "\n", 0.6), ("a = 1\nb = 2\nc", "\n", 0.6)]
    best = NOWHERE
    for tokens, (middle, following, chance) in enumerate(places, 1):
        best = likelier_end(best, middle, "", following, chance, tokens, LINES)
    assert best == LikelyEnd(11, 0.6, 2)


def test_where_nothing_may_end_no_chance_counts() -> None:
    assert likelier_end(NOWHERE, "a = 1", "1", ")", 1.0, 3, LINES) is NOWHERE


def test_whole_lines_end_without_the_blank_space_behind_them() -> None:
    best = likelier_end(NOWHERE, "a = 1\n   ", "   ", " return", 0.6, 5, LINES)
    assert best == LikelyEnd(5, 0.6, 5)


def test_inside_a_line_what_the_last_token_says_of_the_suffix_is_cut_off() -> None:
    around = Surroundings.of("f(", ", b)\n")
    assert likelier_end(NOWHERE, "g(x),", "),", " b", 0.9, 3, around).at == 4
    # A token that is all of it may be the middle's own.
    assert likelier_end(NOWHERE, "a,", ",", " b", 0.9, 3, around).at == 2


def test_only_a_sure_end_is_overdue_and_only_after_a_while() -> None:
    sure, unsure = LikelyEnd(5, 0.8, 3), LikelyEnd(5, 0.5, 3)
    assert overdue_end(sure, 10, BARS) is None
    assert overdue_end(sure, 11, BARS) == Ending(5, Stop.LIKELY_END)
    assert overdue_end(unsure, 100, BARS) is None


def test_a_limit_cuts_at_an_end_that_is_possible() -> None:
    assert end_at_limit(LikelyEnd(5, 0.4, 3), BARS) == Ending(5, Stop.LIKELY_END)
    assert end_at_limit(LikelyEnd(5, 0.2, 3), BARS) is None
    assert end_at_limit(NOWHERE, BARS) is None
