"""What is left of a fill once the rules for suggestions have seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import Drop
from midfill.inference.postprocess.pipeline import postprocess
from midfill.inference.syntax.grammars import grammar_for

if TYPE_CHECKING:
    from midfill.inference.wire import Final
    from midfill.lsp.suggestion_cache import Spot


def postprocessed(final: Final, spot: Spot, language: str, *, invoked: bool) -> Final | Drop:
    """A fill with its texts as they are worth showing, or why none of them is.

    Args:
        language: the editor's name for it.
        invoked: somebody asked by hand, and gets even a single mark.
    """
    grammar = grammar_for(language, spot.uri)
    texts, dropped = [], None
    for text in (final.text, *final.alternatives):
        if not text.strip():
            continue
        result = postprocess(text, spot.text, spot.start, spot.end, grammar)
        if result is Drop.TRIFLE and invoked:
            result = text
        if isinstance(result, Drop):
            dropped = dropped or result
        else:
            texts.append(result)
    if not texts:
        return dropped or final
    return final.model_copy(update={"text": texts[0], "alternatives": tuple(texts[1:])})
