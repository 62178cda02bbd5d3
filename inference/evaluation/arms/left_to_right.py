"""A baseline that never sees the suffix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.evaluation.arms.arm import token_limit
from midfill.inference.evaluation.arms.asking import window_of
from midfill.inference.evaluation.arms.greedy_text import GreedyText
from midfill.inference.prefix_window import prefix_window_start
from midfill.inference.prompt import Windows
from midfill.inference.stopping import Surroundings, find_end

if TYPE_CHECKING:
    from midfill.inference.evaluation.problems import Filled, Problem
    from midfill.inference.models.loading import LoadedModel
    from midfill.inference.wire import Stop


class LeftToRight:
    """The same base model, greedy, behind the prefix alone, as far back as the engine reads.

    It ends by those of the engine's rules that need no suffix: after one line, or where several
    are wanted at a dedent; at an end token; at the token limit.
    """

    name = "left to right"

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded

    def fill(self, problem: Problem) -> Filled:
        tokenizer, prefix = self._loaded.tokenizer, window_of(problem).prefix
        start = prefix_window_start(tokenizer, prefix, Windows().prefix)
        prompt = tokenizer.encode(prefix[start:]) or [tokenizer.end_of_text]
        extent = problem.kind.extent
        around = Surroundings.of(prefix, "", extent, "_")

        def end(text: str) -> tuple[int, Stop] | None:
            ending = find_end(text, around, extent)
            return (ending.at, ending.stop) if ending else None

        return GreedyText(self._loaded, prompt).until(token_limit(extent), end)
