"""The rules that a finished fill goes through, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import FAR, Around, Drop
from midfill.inference.postprocess.doubled_space import without_doubled_space
from midfill.inference.postprocess.indentation_style import in_style_of_document
from midfill.inference.postprocess.leaked_markers import without_leaked_markers
from midfill.inference.postprocess.repeated_prefix import no_repeated_prefix
from midfill.inference.postprocess.repeated_suffix import without_repeated_suffix
from midfill.inference.postprocess.repetition import without_repetition
from midfill.inference.postprocess.scope import within_scope
from midfill.inference.postprocess.syntax_gate import keeps_syntax
from midfill.inference.postprocess.trailing_space import without_trailing_space
from midfill.inference.postprocess.trifles import no_trifle
from midfill.inference.text.line_breaks import for_model, in_document, line_break_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[[str, Around], str | Drop]

RULES: dict[str, Rule] = {
    "leaked_markers": without_leaked_markers,
    "repetition": without_repetition,
    "indentation_style": in_style_of_document,
    "scope": within_scope,
    "repeated_suffix": without_repeated_suffix,
    "repeated_prefix": no_repeated_prefix,
    "doubled_space": without_doubled_space,
    "trailing_space": without_trailing_space,
    "trifles": no_trifle,
    "syntax_gate": keeps_syntax,
}


def postprocess(fill: str, text: str, start: int, end: int, grammar: str | None) -> str | Drop:
    """A fill as it is worth showing in place of ``text[start:end]``, or why it is not.

    Args:
        grammar: of the document, if there is one for it.

    Returns:
        the fill, with the line breaks of the document.
    """
    around = Around(
        for_model(_from_line_start(text[max(start - FAR, 0) : start], cut=start > FAR)),
        for_model(text[end : end + FAR]),
        grammar,
    )
    result: str | Drop = for_model(fill)
    for rule in RULES.values():
        result = rule(result, around)
        if isinstance(result, Drop):
            return result
    return in_document(result, line_break_of(text))


def _from_line_start(before: str, *, cut: bool) -> str:
    """Without a first line that may have been cut in two."""
    return before[before.find("\n") + 1 :] if cut else before
