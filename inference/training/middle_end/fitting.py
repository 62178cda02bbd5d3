"""Fitting the end head: a regularised logistic regression, which is convex and takes seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.inference.models.embedded.end_head import EndWeights, standard, with_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.training.middle_end.collecting import ReadHole
    from midfill.inference.training.middle_end.replay import Trace

FOLDS = 5
ITERATIONS = 150


@dataclass(frozen=True, slots=True)
class Inputs:
    """What of a head there is, and how strongly it is held down.

    Attributes:
        features, products, states: how large each kind of input is made; 0 leaves it out, and the
            smaller it is, the more its weights are held down.
        penalty: on the squared weights.
    """

    features: float = 1.0
    products: float = 0.3
    states: float = 0.1
    penalty: float = 1e-3


VARIANTS = {
    "scalars": Inputs(products=0, states=0),
    "scalars and their products": Inputs(states=0),
    "states": Inputs(features=0, products=0),
    "all": Inputs(),
}
CHOSEN = "all"


@dataclass(frozen=True, slots=True)
class Rows:
    """Places at which the head would be asked.

    Attributes:
        states: (rows, width) float32.
        features: (rows, FEATURES) float32.
        ends: (rows,) float32, 1 where the middle ends.
        holes: (rows,) long, which hole each belongs to.
    """

    states: Tensor
    features: Tensor
    ends: Tensor
    holes: Tensor

    def where(self, chosen: Tensor) -> Rows:
        return Rows(
            self.states[chosen], self.features[chosen], self.ends[chosen], self.holes[chosen]
        )


def rows_of(read: Sequence[ReadHole], traces: Sequence[Trace]) -> Rows:
    """The rows up to each middle's end.

    One line that ends with its hole is left out: the rules are never wrong about it, and it would
    teach the head that lines end.
    """
    states, features, ends, holes = [], [], [], []
    for number, (one, trace) in enumerate(zip(read, traces, strict=True)):
        if not trace.needs_head:
            continue
        right = trace.right_slots(one.written.end)
        slots = [slot for slot in range(right.stop) if trace.may_end(slot)]
        states.append(one.states[slots].float())
        features.append(with_place(one.features[slots], in_line=trace.in_line))
        ends += [float(slot in right) for slot in slots]
        holes += [number] * len(slots)
    return Rows(torch.cat(states), torch.cat(features), torch.tensor(ends), torch.tensor(holes))


def fit(rows: Rows, inputs: Inputs) -> EndWeights:
    """The weights that make the ends likeliest."""
    means = (rows.features.mean(0), rows.states.mean(0))
    scales = (rows.features.std(0) + 1e-3, rows.states.std(0) + 1e-2)
    x = standard(rows.features, means[0], scales[0])
    width = x.shape[1]
    upper = torch.ones(width, width).triu().bool()
    parts = [
        x * inputs.features,
        (x[:, :, None] * x[:, None, :])[:, upper] * inputs.products,
        standard(rows.states, means[1], scales[1]) * inputs.states,
    ]
    together = torch.cat(parts, dim=-1)
    weight, bias = _logistic_regression(together, rows.ends, inputs.penalty)
    sizes = [part.shape[1] for part in parts]
    features, products, state = weight.split_with_sizes(sizes)
    matrix = torch.zeros(width, width)
    matrix[upper] = products * inputs.products
    return EndWeights(
        feature_mean=means[0],
        feature_scale=scales[0],
        state_mean=means[1],
        state_scale=scales[1],
        features=features * inputs.features,
        products=matrix,
        state=state * inputs.states,
        bias=bias,
    )


def cross_fitted(rows: Rows, inputs: Inputs) -> list[EndWeights]:
    """For each fold of the holes, weights fitted on all others; a hole's fold is `fold_of` it."""
    folds = rows.holes % FOLDS
    return [fit(rows.where(folds != fold), inputs) for fold in range(FOLDS)]


def fold_of(hole: int) -> int:
    return hole % FOLDS


def chances(weights: EndWeights, states: Tensor, features: Tensor, *, in_line: bool) -> list[float]:
    """The head's chances at the slots of a hole; features without the place."""
    placed = with_place(features, in_line=in_line)
    found: list[float] = weights.log_odds(states.float(), placed).sigmoid().tolist()
    return found


def _logistic_regression(x: Tensor, y: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    weight = torch.zeros(x.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(x @ weight + bias, y)
        value = value + penalty * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()
