"""The prompt of a request as a page to read: counts, then the text exactly as it was sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from midfill.inference.wire_prompt import PromptPiece, ShownPrompt

TITLE = "What the model sees"

_FENCES = re.compile(r"`{3,}")
_MARKER = re.compile(r"<\|[a-z_]+\|>")


def prompt_as_markdown(shown: ShownPrompt) -> str:
    """A Markdown page that has every character of a prompt, and nothing else, in one code block.

    The block's fence is longer than any in the text, so nothing in it can end the block. A line
    break stands before the closing fence, which is not part of the prompt.
    """
    fence = "`" * (max(map(len, _FENCES.findall(shown.text)), default=2) + 1)
    lines = [
        f"# {TITLE}",
        "",
        f"Model: {_code(shown.model)}. All of it stands below, markers by their names; "
        "the model writes on where it ends.",
        "",
        "| part | tokens |",
        "|---|--:|",
        *(f"| {name} | {tokens} |" for name, tokens in _rows(shown)),
        "",
        *_remarks(shown),
        f"{fence}text",
        f"{shown.text}",
        fence,
        "",
    ]
    return "\n".join(lines)


def _rows(shown: ShownPrompt) -> Iterator[tuple[str, int]]:
    """What each part of the prompt takes, in the order of the parts."""
    from midfill.inference.wire_prompt import PromptPart

    files = [piece for piece in shown.pieces if piece.part is PromptPart.CONTEXT][1:]
    yield from ((f"context: {_cell(_path(piece))}", piece.tokens) for piece in files)
    heading = shown.tokens(PromptPart.CONTEXT) - sum(piece.tokens for piece in files)
    if heading:
        yield "context: heading", heading
    yield "text below the hole", shown.tokens(PromptPart.SUFFIX)
    yield "text above the hole", shown.tokens(PromptPart.PREFIX)
    yield "markers", shown.tokens(PromptPart.MARKER)
    yield "**all**", shown.tokens()


def _path(piece: PromptPiece) -> str:
    return piece.text.split("\n", 1)[0]


def _remarks(shown: ShownPrompt) -> Iterator[str]:
    from midfill.inference.wire_prompt import PromptPart

    if shown.owed:
        many = "" if shown.owed_tokens == 1 else "s"
        yield (
            f"Taken back: {_code(_visible(shown.owed))}, {shown.owed_tokens} token{many} at the "
            "cursor. It may be the beginning of a longer word, so the model has to write it again."
        )
        yield ""
    literal = sum(
        len(_MARKER.findall(piece.text))
        for piece in shown.pieces
        if piece.part is not PromptPart.MARKER
    )
    if literal:
        yield (
            f"The text itself spells {literal} marker{'' if literal == 1 else 's'}; "
            "to the model those are letters."
        )
        yield ""


def _visible(text: str) -> str:
    """Blanks as people can tell them apart."""
    return text.replace(" ", "␣").replace("\t", "⇥").replace("\n", "⏎")


def _code(text: str) -> str:
    """Inline code, whatever backticks are in it."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    if not longest:
        return f"`{text}`"
    ticks = "`" * (longest + 1)
    return f"{ticks} {text} {ticks}"


def _cell(text: str) -> str:
    return _code(text.replace("|", "\\|"))
