"""A baseline: the usual way to fill in the middle with the same base model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.evaluation.arms.arm import token_limit
from midfill.inference.evaluation.arms.greedy_text import GreedyText
from midfill.inference.prefix_window import prefix_window_start
from midfill.inference.prompt import Windows
from midfill.inference.stopping import Surroundings, end_of_line
from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from midfill.inference.evaluation.problems import Filled, Problem
    from midfill.inference.models.loading import LoadedModel

SUFFIX_TOKENS = 1024
"""All of the suffix of most files, which is more than the engine reads."""


class PrefixSuffixMiddle:
    """``<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>``, greedy until an end token.

    Where one line is wanted, its end ends it too. The text around the hole is as the benchmark has
    it; nothing is healed or trimmed.
    """

    name = "prefix-suffix-middle"

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded

    def fill(self, problem: Problem) -> Filled:
        tokenizer, extent = self._loaded.tokenizer, problem.kind.extent
        start = prefix_window_start(tokenizer, problem.prompt, Windows().prefix)
        suffix = tokenizer.encode(problem.suffix[: 8 * SUFFIX_TOKENS])[:SUFFIX_TOKENS]
        prompt = [
            tokenizer.fim_prefix,
            *tokenizer.encode(problem.prompt[start:]),
            tokenizer.fim_suffix,
            *suffix,
            tokenizer.fim_middle,
        ]
        around = Surroundings("", "", "")

        def end(text: str) -> tuple[int, Stop] | None:
            at = end_of_line(text, around) if extent is Extent.LINE else None
            return None if at is None else (at, Stop.LINE_END)

        return GreedyText(self._loaded, prompt).until(token_limit(extent), end)
