"""Cutting windows out of source files: a suffix, a hole, and the prefix before it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from midfill.inference.training.corpus.errors import CorpusUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.training.corpus.source_text import SourceText
    from midfill.inference.training.recipe import Data, WindowSizes

CHARACTERS_PER_TOKEN = 5
"""More than source code has, so that a slice of text is long enough nearly always."""

ATTEMPTS = 200
"""Files looked at in vain before a window is given up."""


def tokens_needed(data: Data, sizes: WindowSizes) -> int:
    """Tokens that a file must have for each window of these sizes to fit."""
    return sizes.prefix + max(data.middle[1] + sizes.suffix, data.continuation + 1)


class WindowSource:
    """Draws windows from source files; the same seed draws the same windows.

    A window is the prompt of a fill: ``<|fim_prefix|> <|fim_suffix|> S <|fim_middle|> P``, and the
    text that followed P in the file.
    """

    def __init__(self, files: Sequence[SourceText], data: Data, tokenizer: Tokenizer) -> None:
        """
        Raises:
            CorpusUnusable: no file is in a language of the recipe.
        """
        self._data = data
        self._tokenizer = tokenizer
        self._files = {
            language: [file for file in files if file.language == language]
            for language in data.languages
        }
        self._languages = [name for name in data.languages if self._files[name]]
        self._weights = [data.languages[name] for name in self._languages]
        if not self._languages:
            raise CorpusUnusable(
                f"no file of the corpus is in {', '.join(data.languages)}: "
                "name other languages in the recipe, or build a corpus that has them"
            )

    def round(self, seed: str, count: int, sizes: WindowSizes | None = None) -> list[list[int]]:
        """Windows of one size, each as many tokens long as the others.

        Args:
            seed: of this round.
            count: how many.
            sizes: of the windows; drawn by the recipe's shares unless given.

        Returns:
            For each window its prompt and, behind it, ``data.continuation + 1`` tokens of the file.

        Raises:
            CorpusUnusable: no file is long enough.
        """
        drawing = random.Random(seed)
        if sizes is None:
            kinds = self._data.windows
            sizes = drawing.choices(kinds, [kind.share for kind in kinds])[0]
        return [self._window(drawing, sizes) for _ in range(count)]

    def _window(self, drawing: random.Random, sizes: WindowSizes) -> list[int]:
        for _ in range(ATTEMPTS):
            language = drawing.choices(self._languages, self._weights)[0]
            if window := self._cut(drawing, drawing.choice(self._files[language]).text, sizes):
                return window
        raise CorpusUnusable(
            f"hardly a file has the {tokens_needed(self._data, sizes)} tokens that a window of the "
            "recipe takes: shorten the windows, or add files"
        )

    def _cut(self, drawing: random.Random, text: str, sizes: WindowSizes) -> list[int] | None:
        tokenizer = self._tokenizer
        middle = drawing.randint(*self._data.middle)
        behind = max(middle + sizes.suffix, self._data.continuation + 1)
        cut = drawing.randrange(len(text)) if text else 0
        start = max(0, cut - sizes.prefix * CHARACTERS_PER_TOKEN)
        tokens = tokenizer.encode(text[start : cut + behind * CHARACTERS_PER_TOKEN])
        latest = len(tokens) - behind
        if latest < sizes.prefix:
            return None
        hole = drawing.randint(sizes.prefix, latest)
        return [
            tokenizer.fim_prefix,
            tokenizer.fim_suffix,
            *tokens[hole + middle : hole + middle + sizes.suffix],
            tokenizer.fim_middle,
            *tokens[hole - sizes.prefix : hole],
            *tokens[hole : hole + self._data.continuation + 1],
        ]
