"""What a confidence is: the chance that a fill is right, from what the fill tells of itself."""

from __future__ import annotations

import json
from math import exp, log
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_filling import scripted_fill

from midfill.inference.calibration_file import calibration_text, read_calibration
from midfill.inference.confidence import (
    FALLING,
    FEATURES,
    RISING,
    Calibration,
    Evidence,
    confidence,
)
from midfill.inference.denoising import Step
from midfill.inference.errors import CalibrationDamaged
from midfill.inference.evaluation.calibration.fitting import chances, cross_fitted, fit
from midfill.inference.evaluation.calibration.samples import Samples
from midfill.inference.evaluation.calibration.scores import calibration_error, ranking, scores
from midfill.inference.evaluation.calibration.showing import curve, shown_from
from midfill.inference.evaluation.errors import CalibrationImpossible
from midfill.inference.filling import Task
from midfill.inference.healing import Vocabulary
from midfill.inference.models.embedded.files import CALIBRATION
from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from midfill.inference.filling import Fill

SOME = Calibration(
    0.5,
    {
        "product": 0.3,
        "weakest": 0.2,
        "mean": 0.4,
        "unsure_end": -2.0,
        "length": -0.5,
        "several_lines": -1.0,
    },
)


def evidence(
    *log_probabilities: float,
    text: str = "x",
    stop: Stop = Stop.LINE_END,
    extent: Extent = Extent.LINE,
) -> Evidence:
    return Evidence.of(log_probabilities, text, stop, extent)


# --- the chance of one fill


def test_without_a_calibration_confidence_is_the_geometric_mean() -> None:
    assert confidence(evidence(log(0.5), log(0.125)), None) == pytest.approx(0.25)


@pytest.mark.parametrize("calibration", [None, SOME])
@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_a_fill_that_shows_nothing_has_no_confidence(
    text: str, calibration: Calibration | None
) -> None:
    assert confidence(evidence(-0.01, text=text), calibration) == 0


def test_evidence_is_as_log_odds_of_all_tokens_the_weakest_and_the_mean() -> None:
    features = evidence(log(0.5), log(0.5), log(0.25)).features()
    assert features["product"] == pytest.approx(log((1 / 16) / (15 / 16)))
    assert features["weakest"] == pytest.approx(log((1 / 4) / (3 / 4)))
    assert features["length"] == pytest.approx(log(3))
    assert (features["unsure_end"], features["several_lines"]) == (0, 0)
    assert features.keys() == set(FEATURES)


LOG_PROBABILITIES = st.lists(st.floats(-60, 0), min_size=1, max_size=20)


@given(LOG_PROBABILITIES, st.integers(0, 19), st.floats(0, 60), st.sampled_from([*Stop]), st.data())
def test_a_likelier_token_never_lowers_the_chance(
    before: list[float], place: int, rise: float, stop: Stop, data: st.DataObject
) -> None:
    weight = st.floats(0, 5)
    calibration = Calibration(
        data.draw(st.floats(-5, 5)),
        {name: data.draw(weight) for name in RISING}
        | {name: -data.draw(weight) for name in FALLING}
        | {"length": data.draw(st.floats(-5, 5)), "several_lines": data.draw(st.floats(-5, 5))},
    )
    after = list(before)
    after[place % len(after)] = min(after[place % len(after)] + rise, 0.0)
    low, high = (calibration.chance(evidence(*values, stop=stop)) for values in (before, after))
    assert 0 <= low <= high + 1e-12 <= 1 + 1e-9


@pytest.mark.parametrize("stop", [Stop.TOKEN_LIMIT, Stop.DEADLINE, Stop.LIKELY_END])
def test_an_unsure_end_makes_a_fill_less_likely(stop: Stop) -> None:
    sure, unsure = (SOME.chance(evidence(-0.1, stop=end)) for end in (Stop.LINE_END, stop))
    assert unsure < sure


@pytest.mark.parametrize("certain", [0.0, -1e-12, -1e-7, 1e-7])
def test_certain_tokens_give_a_finite_chance(certain: float) -> None:
    assert 0 < SOME.chance(evidence(certain, certain)) < 1


# --- its file


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "confidence.json"
    path.write_text(calibration_text(SOME, {"fills": 3}))
    assert read_calibration(path) == SOME
    assert json.loads(path.read_text())["fitted_on"] == {"fills": 3}


def changed(**changes: object) -> str:
    return json.dumps(json.loads(calibration_text(SOME, {})) | changes)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ("{}", "format: Field required"),
        (changed(format=2), "format: Input should be 1"),
        (changed(intercept="0"), "intercept: Input should be a valid number"),
        (changed(intercept=float("nan")), "intercept: Input should be a finite number"),
        (changed(coefficients={"mean": 1.0}), "the coefficients must be those of product"),
        (
            changed(coefficients={**SOME.coefficients, "mean": -0.1}),
            "no coefficient of product, weakest, mean may be negative",
        ),
        (
            changed(coefficients={**SOME.coefficients, "unsure_end": 0.1}),
            "no coefficient of unsure_end may be positive",
        ),
        (changed(more=1), "more: Extra inputs are not permitted"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "confidence.json"
    path.write_text(content)
    with pytest.raises(CalibrationDamaged, match="cannot be read") as caught:
        read_calibration(path)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CalibrationDamaged, match="No such file"):
        read_calibration(tmp_path / "none")


def test_the_shipped_calibration_is_sound() -> None:
    shipped = read_calibration(CALIBRATION)
    sure, unsure = evidence(-0.01, -0.01), evidence(-0.5, -3.0, -1.0)
    assert shipped.chance(unsure) < 0.5 < shipped.chance(sure)


# --- fitting


def synthetic(fills: int, seed: int, truth: Calibration = SOME) -> tuple[Samples, np.ndarray]:
    """Fills that are right as often as ``truth`` says, and the chances it gives them."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(fills):
        tokens = draw.integers(1, 30)
        sureness = draw.uniform(0.2, 3)
        values = [float(v) for v in -draw.exponential(1 / sureness**3, tokens)]
        stop = Stop.TOKEN_LIMIT if draw.random() < 0.2 else Stop.LINE_END
        extent = Extent.LINES if draw.random() < 0.4 else Extent.LINE
        made.append(evidence(*values, stop=stop, extent=extent))
    features = np.array([[one.features()[name] for name in FEATURES] for one in made])
    true = chances(truth, features)
    samples = Samples(
        features=features,
        uncalibrated=np.array([one.geometric_mean for one in made]),
        right=draw.random(fills) < true,
        one_line=np.array([one.extent is Extent.LINE for one in made]),
        tasks=np.array([f"file {number // 2}" for number in range(fills)]),
    )
    return samples, true


def test_a_fit_recovers_known_chances() -> None:
    samples, _ = synthetic(3000, 1)
    unseen, true = synthetic(1000, 2)
    found = chances(fit(samples), unseen.features)
    assert np.abs(found - true).mean() < 0.025
    assert np.abs(unseen.uncalibrated - true).mean() > 0.1


def test_cross_fitted_chances_are_calibrated_and_the_geometric_mean_is_not() -> None:
    samples, _ = synthetic(2000, 3)
    found = cross_fitted(samples, 0)
    assert calibration_error(found, samples.right) < 0.04
    assert calibration_error(samples.uncalibrated, samples.right) > 0.1
    assert ranking(found, samples.right) > ranking(samples.uncalibrated, samples.right)


def test_a_fit_is_monotone_even_where_the_data_speak_against_it() -> None:
    samples, _ = synthetic(400, 4)
    upside_down = Samples(
        samples.features,
        samples.uncalibrated,
        ~samples.right,
        samples.one_line,
        samples.tasks,
    )
    fitted = fit(upside_down)
    assert all(fitted.coefficients[name] >= 0 for name in RISING)
    assert all(fitted.coefficients[name] <= 0 for name in FALLING)


def test_a_fit_is_the_same_whenever_it_is_made() -> None:
    samples, _ = synthetic(300, 5)
    assert fit(samples) == fit(samples)
    assert (cross_fitted(samples, 1) == cross_fitted(samples, 1)).all()


def test_too_few_fills_or_fills_all_alike_are_refused() -> None:
    samples, _ = synthetic(200, 6)
    with pytest.raises(CalibrationImpossible, match=r"49 fills .* too few"):
        fit(samples.where(np.arange(200) < 49))
    for right, word in ((True, "right"), (False, "wrong")):
        with pytest.raises(CalibrationImpossible, match=f"fills are {word}"):
            fit(samples.where(samples.right == right))


# --- scores


def test_scores_of_known_chances() -> None:
    stated = np.array([0.5] * 10 + [1.0] * 10)
    right = np.array([True, False] * 5 + [True] * 10)
    tasks = np.array([str(number) for number in range(20)])
    found = scores(stated, right, tasks, 0)
    assert found.brier.value == pytest.approx(0.125)
    assert found.log_loss.value == pytest.approx(log(2) / 2, abs=1e-5)
    assert found.ranking.value == pytest.approx((10 + 5 * 0.5) / 15)
    for estimate in (found.brier, found.log_loss, found.ranking):
        assert estimate.low <= estimate.value <= estimate.high


def test_a_higher_threshold_shows_fewer_fills() -> None:
    stated, right = np.array([0.1, 0.4, 0.8, 0.9]), np.array([False, True, False, True])
    shown = shown_from(stated, right, 0.4)
    assert (shown.share, shown.kept) == (0.75, 1.0)
    assert shown.precision == pytest.approx(2 / 3)
    shares = [each.share for each in curve(stated, right)]
    assert shares == sorted(shares, reverse=True)
    assert np.isnan(shown_from(stated, right, 1.0).precision)


# --- in a fill


def filled(
    monkeypatch: pytest.MonkeyPatch,
    steps: Sequence[Step],
    calibration: Calibration | None,
    suffix: str = "\n",
) -> Fill:
    """What `fill_hole` makes of steps over the alphabet a=0, b=1, line break=2, and an end, 3."""

    vocabulary = Vocabulary([b"a", b"b", b"\n", b""])
    task = Task("x = ", suffix, "", Extent.LINE, b"", 9, monotonic() + 60)
    return scripted_fill(monkeypatch, steps, task, vocabulary, calibration=calibration)


STEPS = (Step((0,), (-0.2,), ()), Step((1, 2), (-0.4, -0.6), ()))


def test_a_fill_has_the_calibrated_chance_where_its_model_is_calibrated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill = filled(monkeypatch, STEPS, SOME)
    assert (fill.text, fill.stop) == ("ab", Stop.LINE_END)
    assert fill.confidence == SOME.chance(evidence(-0.2, -0.4, -0.6, text="ab"))


def test_a_fill_has_the_geometric_mean_where_its_model_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert filled(monkeypatch, STEPS, None).confidence == pytest.approx(exp(-0.4))


def test_an_empty_fill_has_no_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    fill = filled(monkeypatch, [Step((3,), (-0.1,), ())], SOME)
    assert (fill.text, fill.stop, fill.confidence) == ("", Stop.END_TOKEN, 0.0)


def test_tokens_behind_the_cut_do_not_count_but_for_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next line is written again: a, line break, then b and a line break as in the suffix."""
    steps = [Step((2, 1, 0, 2), (-0.1, -0.2, -0.3, -0.4), ())]
    fill = filled(monkeypatch, steps, None, suffix="\nba\n")
    assert fill.stop is Stop.SUFFIX
    assert fill.text.strip() == ""
    assert fill.log_probabilities == (-0.1, -0.2)
