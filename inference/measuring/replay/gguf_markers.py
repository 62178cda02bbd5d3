"""How the model in a GGUF file is asked to fill in the middle, as the file itself says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError, WeightsCorrupt
from midfill.inference.measuring.replay.prompts import Prompt
from midfill.inference.models.embedded.gguf_file import read_gguf
from midfill.inference.vllm.markers import FAMILIES

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.measuring.replay.prompts import Pieces, Sides
    from midfill.inference.models.embedded.gguf_file import GgufFile

KEYS = (
    ("fim_pre_token_id", "prefix_token_id"),
    ("fim_suf_token_id", "suffix_token_id"),
    ("fim_mid_token_id", "middle_token_id"),
)
"""Where a file names its markers: now, and in older files.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""


@dataclass(frozen=True, slots=True)
class GgufMarkers:
    """Token ids.

    Attributes:
        begin: in front of every prompt.
        prefix, suffix: stand before the text on either side of the hole.
        middle: stands before the middle; nothing where it begins behind the prefix as it is.
        suffix_first: the model was trained with the suffix in front as well.
    """

    begin: tuple[int, ...]
    prefix: int
    suffix: int
    middle: tuple[int, ...]
    suffix_first: bool

    def prompt(self, text: Sides) -> Prompt:
        """Lay a hole out, suffix first where the model knows that: then typing appends."""
        if not self.middle:
            return Prompt([*self.begin, self.suffix, text.suffix, self.prefix, text.prefix])
        around: Pieces
        if self.suffix_first:
            around = [self.prefix, self.suffix, text.suffix, *self.middle, text.prefix]
        else:
            around = [self.prefix, text.prefix, self.suffix, text.suffix, *self.middle]
        return Prompt([*self.begin, *around])


def read_markers(path: Path) -> GgufMarkers:
    """Find a file's markers: by their ids in its metadata, else by their names.

    Raises:
        UsageError: it is no GGUF file, or its model knows no fill in the middle.
    """
    try:
        gguf = read_gguf(path)
        tokens = gguf.strings("tokenizer.ggml.tokens")
    except WeightsCorrupt:
        raise UsageError(f"--against {path}: that is not an intact GGUF file of a model") from None
    except OSError as error:
        raise UsageError(f"--against {path}: {error.strerror or error}") from None
    return markers_of(gguf, tokens)


def markers_of(gguf: GgufFile, tokens: list[str]) -> GgufMarkers:
    """The markers by a file's metadata and its vocabulary.

    Raises:
        UsageError: there are none.
    """
    begin = _begin(gguf)
    named = [_first_id(gguf, keys, len(tokens)) for keys in KEYS]
    prefix, suffix, middle = named
    if prefix is not None and suffix is not None and middle is not None:
        names = tuple(tokens[one] for one in (prefix, suffix, middle))
        suffix_first = any(family.suffix_first for family in FAMILIES if family.needed == names)
        return GgufMarkers(begin, prefix, suffix, (middle,), suffix_first)
    ids = {token: number for number, token in enumerate(tokens)}
    for family in FAMILIES:
        if all(name in ids for name in family.needed):
            behind = (ids[family.middle],) if family.middle else ()
            return GgufMarkers(
                begin, ids[family.prefix], ids[family.suffix], behind, family.suffix_first
            )
    raise UsageError(
        f"--against {gguf.path}: its model has no markers for filling in the middle; "
        "take one that was trained for that"
    )


def _begin(gguf: GgufFile) -> tuple[int, ...]:
    wanted = gguf.metadata.get("tokenizer.ggml.add_bos_token") is True
    token = gguf.metadata.get("tokenizer.ggml.bos_token_id")
    return (token,) if wanted and isinstance(token, int) else ()


def _first_id(gguf: GgufFile, keys: tuple[str, ...], size: int) -> int | None:
    for key in keys:
        value = gguf.metadata.get(f"tokenizer.ggml.{key}")
        if isinstance(value, int) and 0 <= value < size:
            return value
    return None
