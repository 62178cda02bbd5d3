"""What the model would write behind the engine's own prompt, shared by the arms that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.evaluation.arms.asking import window_of
from midfill.inference.evaluation.arms.greedy_text import GreedyText
from midfill.inference.prompt import build_prompt

if TYPE_CHECKING:
    from midfill.inference.evaluation.problems import Problem
    from midfill.inference.models.loading import LoadedModel


class OwnText:
    """The greedy text of one problem at a time."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._problem: Problem | None = None

    def of(self, problem: Problem) -> tuple[GreedyText, bytes]:
        """The text, and the bytes that it has to write again first."""
        if self._problem is not problem:
            window = window_of(problem)
            prompt = build_prompt(self._loaded.tokenizer, window.prefix, window.suffix)
            self._text = GreedyText(self._loaded, prompt.tokens, prompt.owed)
            self._owed, self._problem = prompt.owed, problem
        return self._text, self._owed
