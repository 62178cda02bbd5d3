"""The special tokens by which a model is asked to fill in the middle.

A family is recognised by its markers alone: each has to be a single token of the served model.

Sources: the model cards and tokenizers of Qwen2.5-Coder, CodeGemma, StarCoder2, DeepSeek-Coder,
Code Llama, Codestral and Gemma 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FimFamily:
    """How autoregressive models of a family are asked.

    Attributes:
        name: for people.
        prefix, suffix: stand before the text on either side of the hole.
        middle: stands before the middle; empty where it begins behind the prefix as it is.
        suffix_first: the family was trained with the suffix in front as well. Then typing appends
            to what the server has in its cache.
        prefix_spaced: a blank stands between the marker and the prefix.
        repository, file: stand before the repository's name and each of its other files; empty
            where the family knows none.
        ends: what else ends a middle.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    suffix_first: bool = True
    prefix_spaced: bool = False
    repository: str = ""
    file: str = ""
    ends: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """Without these the family is not recognised."""
        return tuple(filter(None, (self.prefix, self.suffix, self.middle)))

    @property
    def markers(self) -> tuple[str, ...]:
        return (*self.needed, *filter(None, (self.repository, self.file)), *self.ends)


QWEN = FimFamily(
    "Qwen",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    repository="<|repo_name|>",
    file="<|file_sep|>",
    ends=(
        "<|endoftext|>",
        "<|fim_pad|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|file_separator|>",
        "<eos>",
    ),
)
"""CodeGemma's, too, which has a file separator of another name and no repositories."""

STARCODER = FimFamily(
    "StarCoder",
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    repository="<repo_name>",
    file="<file_sep>",
    ends=("<|endoftext|>", "<fim_pad>"),
)
DEEPSEEK = FimFamily(
    "DeepSeek",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁end｜>",
    suffix_first=False,
    ends=("<｜end▁of▁sentence｜>", "<|EOT|>"),
)
CODE_LLAMA = FimFamily(
    "Code Llama",
    "▁<PRE>",
    "▁<SUF>",
    "▁<MID>",
    prefix_spaced=True,
    ends=("▁<EOT>", "</s>"),
)
CODESTRAL = FimFamily("Codestral", "[PREFIX]", "[SUFFIX]", "", ends=("</s>",))

FAMILIES = (QWEN, STARCODER, DEEPSEEK, CODE_LLAMA, CODESTRAL)


@dataclass(frozen=True, slots=True)
class Turns:
    """The markers of Gemma 4's chat turns, which DiffusionGemma shares."""

    open: str = "<|turn>"
    close: str = "<turn|>"
    channel_open: str = "<|channel>"
    channel_close: str = "<channel|>"
    pad: str = "<pad>"
    others: tuple[str, ...] = field(default=("<eos>", "<bos>", "<mask>", "<|think|>", "<|image>"))

    @property
    def needed(self) -> tuple[str, ...]:
        return (self.open, self.close, self.channel_open, self.channel_close, self.pad)

    @property
    def markers(self) -> tuple[str, ...]:
        return (*self.needed, *self.others)


TURNS = Turns()
