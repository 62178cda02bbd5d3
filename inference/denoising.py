"""The denoising loop of guess, verify, accept.

Each step is one forward pass. It verifies the guesses of the step before and, in groups of masks
behind every number of guesses that could turn out right, makes the next ones. The accepted guesses
and the model's own next token behind them are certain; the guesses of the matching group are what
the next step verifies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.belief import AT_ONCE, Belief
from midfill.inference.canvas import first_canvas, verifying_canvas
from midfill.inference.choosing import Chosen
from midfill.inference.samplers.agreement import accept_agreement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from midfill.inference.canvas import Canvas
    from midfill.inference.choosing import Chooser
    from midfill.inference.context_cache import ContextCache
    from midfill.inference.healing import Healing
    from midfill.inference.models.interface import CanvasPredictions, DenoisingModel

    EndChances = Callable[[CanvasPredictions], tuple[float, ...]]
    """The chances that the middle ends before the token behind each known slot that is read."""

    Finder = Callable[[Sequence[int], Sequence[int]], Sequence[int]]
    """Given newly certain tokens and guesses behind them: what may follow these."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one forward pass settled.

    Attributes:
        tokens: newly certain tokens, at least one.
        log_probabilities: the model's for each of them, in nats.
        guesses: tokens guessed behind them.
        end_chances: that the middle ends before each of the tokens; none where nobody asked.
        found: tokens that were looked up and are verified behind the guesses.
        believed: what is left of a belief that has held so far; then nothing else is verified.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    guesses: tuple[int, ...]
    end_chances: tuple[float, ...] = ()
    found: tuple[int, ...] = ()
    believed: tuple[int, ...] = ()


def denoise(
    model: DenoisingModel,
    cache: ContextCache,
    uncached: Sequence[int],
    *,
    choose: Chooser,
    healing: Healing,
    masks: int,
    belief: Belief | None = None,
    end_chances: EndChances | None = None,
    find: Finder | None = None,
) -> Iterator[Step]:
    """Denoise the middle step by step, without end: whoever iterates decides when to stop.

    Args:
        model: the model.
        cache: what is encoded of the context; accepted tokens are appended to it.
        uncached: the context's last tokens, not in the cache yet; at least one.
        choose: picks tokens.
        healing: what the first tokens have to spell.
        masks: guesses made at each step.
        belief: what may well follow the context. It is verified first, so it changes how many steps
            it takes and nothing else.
        end_chances: tells how likely the middle ends before each token, where that is wanted.
        find: looks up what may follow the guesses; it changes how many steps it takes, no more.

    Yields:
        A `Step` after each forward pass.
    """
    belief = belief or Belief()
    rest, place = belief.tokens, 0
    held, canvas = rest[:AT_ONCE], _believing_canvas(uncached, rest, belief, masks)
    while True:
        predictions = model.denoise(canvas, cache)
        # First, as these may want all logits, and the tokens are then chosen from them.
        ends = () if end_chances is None else end_chances(predictions)
        accepted, chosen = _verify(predictions, held, place, choose, healing)
        tokens = chosen.tokens
        last_certain = canvas.layout.first_read + accepted
        model.keep(canvas, last_certain + 1, cache)
        guesses = model.guess(canvas, predictions, last_certain, tokens[-1])
        found = () if find is None else tuple(find(tokens, guesses))
        rest = rest[len(tokens) :] if rest[: len(tokens)] == tokens else ()
        yield Step(tokens, chosen.log_probabilities, guesses, ends[: len(tokens)], found, rest)
        for token in tokens:
            healing = healing.after(token)
        place += len(tokens)
        if rest:
            held, canvas = rest[:AT_ONCE], _believing_canvas(tokens[-1:], rest, belief, masks)
        else:
            held, canvas = (*guesses, *found), verifying_canvas(tokens[-1], guesses, masks, found)


def _believing_canvas(
    known: Sequence[int], rest: tuple[int, ...], belief: Belief, masks: int
) -> Canvas:
    """A canvas over the next part of a belief, with no group of masks that is not wanted.

    Args:
        known: tokens that are certain and not cached yet.
        rest: what is left of the belief.
        belief: all of it.
        masks: of a group.
    """
    goes_on = belief.ends or len(rest) > AT_ONCE
    wanted = 0 if goes_on and belief.trusted else masks
    return first_canvas(known, wanted, rest[:AT_ONCE], open_end=not goes_on)


def _verify(
    predictions: CanvasPredictions,
    held: tuple[int, ...],
    place: int,
    choose: Chooser,
    healing: Healing,
) -> tuple[int, Chosen]:
    """How many held guesses are accepted; they and the next token.

    Args:
        predictions: behind the certain token and each guess.
        held: the guesses.
        place: of the first of them in the middle.
        choose: picks tokens.
        healing: what is owed before the first of them.
    """
    chosen = choose(predictions, healing.permitted(held), place)
    # Only what follows the context without a gap can be kept behind it.
    accepted = accept_agreement(held, chosen.tokens)
    certain = slice(accepted + 1)
    return accepted, Chosen(chosen.tokens[certain], chosen.log_probabilities[certain])
