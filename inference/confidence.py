"""How sure a fill is: the chance that it is exactly right, from its own tokens' probabilities.

A fill is right if all of its tokens are. Were the model's probabilities true, the chance of that
would be their product; they are not, so a logistic regression over a few `Evidence` figures,
fitted on fills of known holes (`evaluation.calibration`), says what they are worth. The likelier
any token, the larger the chance: coefficients that would say otherwise are refused.

Source: Platt, Probabilistic outputs for support vector machines, 1999; the sign constraints are
ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, log
from typing import TYPE_CHECKING

from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HIGHEST_LOG_ODDS = 7.0
"""Of a probability of 0.999; what is surer counts as this sure."""

LOWEST_LOG_ODDS = -15.0

RISING = ("product", "weakest", "mean")
"""Features that rise with the probability of each token; no coefficient of theirs is negative."""

FALLING = ("unsure_end",)
"""Features whose coefficients are not positive."""

FREE = ("length", "several_lines")

UNSURE_ENDS = (Stop.LIKELY_END, Stop.TOKEN_LIMIT, Stop.DEADLINE)
"""Ends that neither the model nor a rule has found."""

FEATURES = (*RISING, *FALLING, *FREE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a fill tells of itself.

    Attributes:
        mean: of the log-probabilities of its tokens, nats; see `of`.
        weakest: the smallest of them.
        tokens: how many there are, at least one.
        stop: why the middle ended.
        extent: how far it was allowed to go.
        empty: there is nothing to see in the text.
    """

    mean: float
    weakest: float
    tokens: int
    stop: Stop
    extent: Extent
    empty: bool

    @classmethod
    def of(
        cls, log_probabilities: Sequence[float], text: str, stop: Stop, extent: Extent
    ) -> Evidence:
        """The evidence of one fill.

        Args:
            log_probabilities: of the tokens that the text was cut from, and of the one behind
                them, which tells how sure the end is; nats, at least one.
            text: of the fill.
            stop: why the middle ended.
            extent: how far it was allowed to go.
        """
        return cls(
            mean=sum(log_probabilities) / len(log_probabilities),
            weakest=min(log_probabilities),
            tokens=len(log_probabilities),
            stop=stop,
            extent=extent,
            empty=not text.strip(),
        )

    @property
    def geometric_mean(self) -> float:
        """Of the tokens' probabilities; 0 for a fill that shows nothing."""
        return 0.0 if self.empty else exp(min(self.mean, 0.0))

    def features(self) -> dict[str, float]:
        """The regression's inputs, by the names in `FEATURES`.

        Probabilities as log-odds: of all tokens together, of the weakest, and on average.
        """
        return {
            "product": _log_odds(self.mean * self.tokens),
            "weakest": _log_odds(self.weakest),
            "mean": _log_odds(self.mean),
            "unsure_end": float(self.stop in UNSURE_ENDS),
            "length": log(self.tokens),
            "several_lines": float(self.extent.several_lines),
        }


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted regression.

    Attributes:
        intercept: log-odds where all features are 0.
        coefficients: of each of `FEATURES`, with the signs that are asked of them.
    """

    intercept: float
    coefficients: Mapping[str, float]

    def chance(self, evidence: Evidence) -> float:
        """The chance that the fill is exactly right, 0 … 1; 0 for one that shows nothing."""
        if evidence.empty:
            return 0.0
        features = evidence.features()
        return _sigmoid(
            self.intercept + sum(self.coefficients[name] * features[name] for name in FEATURES)
        )


def confidence(evidence: Evidence, calibration: Calibration | None) -> float:
    """The calibrated chance; without a calibration the geometric mean of the probabilities."""
    return evidence.geometric_mean if calibration is None else calibration.chance(evidence)


def _log_odds(log_probability: float) -> float:
    """The log-odds of a probability that is given by its logarithm, within bounds."""
    if log_probability >= -exp(-HIGHEST_LOG_ODDS):
        return HIGHEST_LOG_ODDS
    odds = log_probability - log(-expm1(log_probability))
    return min(max(odds, LOWEST_LOG_ODDS), HIGHEST_LOG_ODDS)


def _sigmoid(log_odds: float) -> float:
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    return exp(log_odds) / (1 + exp(log_odds))
