"""An upper bound that no product has: the length of the gold middle is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.wire import Stop

if TYPE_CHECKING:
    from midfill.inference.evaluation.arms.own_text import OwnText
    from midfill.inference.evaluation.problems import Filled, Problem
    from midfill.inference.tokenizer import Tokenizer


class OracleLength:
    """The model's greedy text behind the engine's prompt, cut after as many tokens as gold has.

    Those are the gold middle's under the model's tokenizer, its line break and what token healing
    takes back in front of it included. Only an end token ends it earlier.
    """

    name = "oracle length"

    def __init__(self, tokenizer: Tokenizer, own: OwnText) -> None:
        self._tokenizer, self._own = tokenizer, own

    def fill(self, problem: Problem) -> Filled:
        text, owed = self._own.of(problem)
        length = max(1, len(self._tokenizer.encode(owed.decode() + problem.gold)))
        for count in range(1, length + 1):
            if text.ends_at(count):
                return text.filled(count, text.text(count - 1), Stop.END_TOKEN)
        return text.filled(length, text.text(length), Stop.TOKEN_LIMIT)
