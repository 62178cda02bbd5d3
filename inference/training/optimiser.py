"""Fitting the adapter: AdamW, its schedule, and the moving average that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.training.checkpoint import RunState
    from midfill.inference.training.recipe import Optimisation

EPSILON = 1e-8


def learning_rate_factor(targets: int, recipe: Optimisation) -> float:
    """Rises over the warm-up, stays, and falls to nothing over the last share of all targets."""
    rising = (targets + 1) / recipe.warm_up if recipe.warm_up else 1.0
    left = (recipe.targets - targets) / recipe.targets
    falling = left / recipe.decay if recipe.decay else 1.0
    return max(0.01, min(1.0, rising, falling))


def distance_weights(recipe: Optimisation, masks: int) -> Tensor:
    """The loss weights of the masks of a group; (masks,), they add up to one."""
    given = recipe.distance_weights
    weights = torch.tensor([given[min(i, len(given) - 1)] for i in range(masks)])
    return weights / weights.sum()


def guess_loss(logits: Tensor, targets: Tensor, rank_of: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of guesses, weighted by their distance.

    Args:
        logits: (windows, groups, masks, guessable).
        targets: (windows, groups, masks) long, token ids.
        rank_of: (vocabulary,) long, a token's row in the guess head, -1 if it cannot be guessed.
        weights: (masks,).

    Returns:
        A scalar; targets that cannot be guessed do not count.
    """
    rows = rank_of[targets].to(logits.device)
    losses = F.cross_entropy(
        logits.flatten(0, 2).float(), rows.flatten(), ignore_index=-1, reduction="none"
    ).view(rows.shape)
    counted = (rows >= 0).sum((0, 1)).clamp(min=1)
    return (losses.sum((0, 1)) / counted * weights.to(logits.device)).sum()


class Optimiser:
    """AdamW without decay over a run's parameters; its state lives in the `RunState`.

    Source: Loshchilov and Hutter, arXiv 1711.05101; moving averages of weights, Polyak and Juditsky
    1992.
    """

    def __init__(self, state: RunState, recipe: Optimisation) -> None:
        self._state = state
        self._recipe = recipe
        for name, tensor in state.parameters.items():
            tensor.requires_grad_(True)
            state.moments.setdefault(f"{name}.first", torch.zeros_like(tensor))
            state.moments.setdefault(f"{name}.second", torch.zeros_like(tensor))

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients that the parameters hold, which are cleared."""
        state, recipe = self._state, self._recipe
        state.steps += 1
        first, second = recipe.betas
        factor = learning_rate_factor(state.targets, recipe)
        gradients = [p.grad for p in state.parameters.values() if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))
        scale = (recipe.clip / norm.clamp(min=1e-6)).clamp(max=1.0)
        smoothing = min(recipe.smoothing, state.steps / (state.steps + 9))
        for name, parameter in state.parameters.items():
            if parameter.grad is None:
                continue
            gradient = parameter.grad * scale
            m, v = state.moments[f"{name}.first"], state.moments[f"{name}.second"]
            m.lerp_(gradient, 1 - first)
            v.lerp_(gradient.square(), 1 - second)
            rate = (
                recipe.sampler_learning_rate
                if name.startswith("sampler.")
                else recipe.learning_rate
            )
            corrected = (v / (1 - second**state.steps)).sqrt_().add_(EPSILON)
            parameter.addcdiv_(m / (1 - first**state.steps), corrected, value=-rate * factor)
            parameter.grad = None
            state.averaged[name].lerp_(parameter, 1 - smoothing)
