"""The prompt of a model that was trained to fill in the middle, with its family's markers.

::

    [<repo_name>… <file_sep>path⏎text …] <fim_prefix><fim_suffix> S <fim_middle> P

The suffix stands first where the family was trained so as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.vllm.layout import Layout, Piece, marker
from midfill.inference.vllm.windows import first_tokens, last_tokens
from midfill.inference.wire_prompt import PromptPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.vllm.layout import Budget
    from midfill.inference.vllm.markers import FimFamily
    from midfill.inference.vllm.patience import Patience
    from midfill.inference.vllm.server_tokenizer import ServerTokenizer
    from midfill.inference.wire import ContextFile


def fim_prompt(
    tokenizer: ServerTokenizer,
    family: FimFamily,
    text: HoleText,
    context: Sequence[ContextFile],
    budget: Budget,
    patience: Patience,
) -> Layout:
    """Lay out the prompt of one hole.

    Args:
        tokenizer: the served model's.
        family: of its markers.
        text: around the hole.
        context: pieces of other files; left out where the family has no marker for them.
        budget: token budgets.
        patience: how long to wait for the tokenizer.

    Raises:
        MidfillError, OutOfTime: as `ServerTokenizer.encode`.
    """

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, patience)

    def encode_prefix(text: str) -> list[int]:
        return tokenizer.encode(text, patience, spaced=family.prefix_spaced)

    written, ids = last_tokens(text.prefix, budget.prefix, encode_prefix)
    before = Piece(PromptPart.PREFIX, written, tuple(ids))
    written, ids = first_tokens(text.suffix, budget.suffix, encode)
    behind = Piece(PromptPart.SUFFIX, written, tuple(ids))

    def mark(name: str) -> Piece:
        return marker(name, tokenizer.markers[name])

    if not family.middle:
        around = [mark(family.suffix), behind, mark(family.prefix), before]
    elif family.suffix_first:
        names = (mark(family.prefix), mark(family.suffix))
        around = [*names, behind, mark(family.middle), before]
    else:
        around = [mark(family.prefix), before, mark(family.suffix), behind, mark(family.middle)]
    begin = Piece(PromptPart.MARKER, "", tuple(tokenizer.begin))
    others = _other_files(tokenizer, family, context, budget.context, patience)
    return Layout((begin, *others, *around))


def _other_files(
    tokenizer: ServerTokenizer,
    family: FimFamily,
    context: Sequence[ContextFile],
    budget: int,
    patience: Patience,
) -> list[Piece]:
    names = (family.repository, family.file)
    if budget <= 0 or not context or not all(name in tokenizer.markers for name in names):
        return []
    title = "repository\n"
    pieces = [
        marker(family.repository, tokenizer.markers[family.repository]),
        Piece(PromptPart.CONTEXT, title, tuple(tokenizer.encode(title, patience))),
    ]
    left = budget - sum(len(piece.ids) for piece in pieces)
    for file in context:
        if left <= 1:  # the file's marker takes one
            break
        text, ids = first_tokens(
            f"{file.path}\n{file.text}\n", left - 1, lambda text: tokenizer.encode(text, patience)
        )
        if not ids:
            break
        pieces.append(marker(family.file, tokenizer.markers[family.file]))
        pieces.append(Piece(PromptPart.CONTEXT, text, tuple(ids)))
        left -= 1 + len(ids)
    return pieces if len(pieces) > 2 else []
