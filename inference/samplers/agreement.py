"""Accept guesses as long as the model agrees with them, from left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def accept_agreement(held: Sequence[int], chosen: Sequence[int]) -> int:
    """How many leading slots hold the token that was chosen for them.

    A slot's prediction counts only if every guess before it was right, so the first disagreement
    ends the run. When the chosen tokens are the arg-max, the accepted text is the model's own
    greedy text. When they are samples, this is speculative sampling with a proposal that puts all
    its weight on the guess: the guess is kept with the model's probability for it, and otherwise
    the sample is one from the model's distribution without the guess.

    Args:
        held: the guesses.
        chosen: the model's tokens for these slots; more of them do not matter.

    Source: speculative sampling, arXiv 2211.17192.
    """
    accepted = 0
    for guess, token in zip(held, chosen, strict=False):
        if guess != token:
            break
        accepted += 1
    return accepted
