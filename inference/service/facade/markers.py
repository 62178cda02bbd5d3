"""The markers with which tools write a hole into one text, family by family.

Sources: the model cards of Qwen2.5-Coder, CodeGemma, StarCoder2, DeepSeek-Coder, Code Llama,
Codestral and GLM.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HoleMarkers:
    """How one family writes a hole.

    Attributes:
        prefix, suffix: stand before the text on either side of the hole.
        middle: stands before the middle; empty where it begins behind the prefix as it is.
        blanks: one blank is part of the markers on the sides where this family has one: behind the
            prefix's, before the suffix's and the middle's.
    """

    prefix: str
    suffix: str
    middle: str
    blanks: bool = False


QWEN = HoleMarkers("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
"""CodeGemma's, too."""

STARCODER = HoleMarkers("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
DEEPSEEK = HoleMarkers("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")
CODE_LLAMA = HoleMarkers("<PRE>", "<SUF>", "<MID>", blanks=True)
CODESTRAL = HoleMarkers("[PREFIX]", "[SUFFIX]", "")
GLM = HoleMarkers("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>")

FAMILIES = (QWEN, STARCODER, DEEPSEEK, CODE_LLAMA, CODESTRAL, GLM)

REPOSITORY = ("<|repo_name|>", "<repo_name>", "<reponame>")
"""Stand before a repository's name."""

FILE = ("<|file_sep|>", "<|file_separator|>", "<file_sep>", "<filename>")
"""Stand before the path and the text of one of its files."""

ENDS = (
    "<|endoftext|>",
    "<|fim_pad|>",
    "<fim_pad>",
    "<|im_start|>",
    "<|im_end|>",
    "<|cursor|>",
    "<｜end▁of▁sentence｜>",
    "<|EOT|>",
    "<EOT>",
    "[MIDDLE]",
)

ALL = (
    *(
        marker
        for family in FAMILIES
        for marker in (family.prefix, family.suffix, family.middle)
        if marker
    ),
    *REPOSITORY,
    *FILE,
    *ENDS,
)
"""None of these is ever part of an answer."""
