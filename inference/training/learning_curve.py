"""The learning curve of a run, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from midfill.inference.training.whole_file import written_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def draw_learning_curve(path: Path, history: Sequence[dict[str, Any]]) -> None:
    """Draw how often each guess is right and the tokens a step over the targets trained.

    Does nothing where matplotlib is not installed; the figures are in ``history.json`` as well.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(9, 4), layout="constrained")
    guesses, tokens = figure.subplots(1, 2)
    targets = [measured["targets"] / 1000 for measured in history]
    for mask in range(len(history[0]["right"])):
        right = [measured["right"][mask] for measured in history]
        per_step = [measured["tokens_per_step"][mask] for measured in history]
        guesses.plot(targets, right, label=f"guess {mask + 1}")
        tokens.plot(targets, per_step, label=f"{mask + 1} a step")
    guesses.set_ylabel("right, those before it given")
    tokens.set_ylabel("tokens a step")
    for axes in (guesses, tokens):
        axes.set_xlabel("trained targets, thousands")
        axes.grid(alpha=0.3)
        axes.legend()
    with written_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
