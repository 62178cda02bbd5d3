"""What a folder can hold that loads, and would crash or write nonsense when a hole is filled."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import torch

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.uniform.canvas import UniformCanvas

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import DiffusionGemmaGenerationConfig, DiffusionGemmaTextConfig

    from midfill.inference.models.diffusion_gemma.model import DiffusionGemma

MOST_STEPS = 10_000
"""No canvas is published to take more."""

PROBED = 16
"""Tokens from all of the vocabulary that a model is tried with."""


def refuse_damaged_config(text: DiffusionGemmaTextConfig, path: Path) -> None:
    """Look at figures that `transformers` does not look at.

    Args:
        text: the text model's configuration.
        path: where it was read from.

    Raises:
        WeightsCorrupt: there is one that no model can have.
    """
    cap, experts, used = text.final_logit_softcapping, text.num_experts, text.top_k_experts
    if not _is_above_zero(cap):
        raise _damaged(path, "final_logit_softcapping", cap)
    if not isinstance(experts, int) or experts < 1:
        raise _damaged(path, "num_experts", experts)
    if not isinstance(used, int) or not 1 <= used <= experts:
        raise _damaged(path, "top_k_experts", used)


def refuse_damaged_settings(published: DiffusionGemmaGenerationConfig, path: Path) -> None:
    """The same for what the model was published to denoise with.

    Raises:
        WeightsCorrupt: there is a figure that no canvas can be denoised with.
    """
    bound, last = published.sampler_config, published.t_min
    figures = {
        "t_max": published.t_max,
        "confidence_threshold": published.confidence_threshold,
        "entropy_bound": None if bound is None else bound.entropy_bound,
    }
    for name, figure in figures.items():
        if figure is not None and not _is_above_zero(figure):
            raise _damaged(path, name, figure)
    if last is not None and last != 0 and not _is_above_zero(last):
        raise _damaged(path, "t_min", last)
    steps = published.max_denoising_steps
    if steps is not None and (isinstance(steps, bool) or steps > MOST_STEPS):
        raise _damaged(path, "max_denoising_steps", steps)


def refuse_numbers_that_are_none(model: DiffusionGemma, folder: Path) -> None:
    """Encode a few tokens, and predict a slot behind them.

    Every layer is run, but of its experts only those that tokens and slot are sent to.

    Raises:
        WeightsCorrupt: what comes out is not finite.
    """
    context = model.new_context()
    model.encode(range(0, model.vocabulary, max(1, model.vocabulary // PROBED)), context)
    canvas = UniformCanvas.blank(1, model.device)
    logits = model.behind(context).predict(canvas, canvas.pinned, None)
    model.forget()
    if not bool(torch.isfinite(logits).all()):
        raise WeightsCorrupt(
            f"the weights in {folder} compute no numbers (NaN or infinity); pull the model again"
        )


def _is_above_zero(figure: object) -> bool:
    return (
        isinstance(figure, int | float)
        and not isinstance(figure, bool)
        and isfinite(figure)
        and figure > 0
    )


def _damaged(path: Path, name: str, figure: object) -> WeightsCorrupt:
    return WeightsCorrupt(f"{path} is damaged: {name} cannot be {figure}; pull the model again")
