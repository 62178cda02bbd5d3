"""Lines and columns as the protocol counts them.

A column counts code units of the encoding agreed with the client, where Python counts code points.

Source: LSP 3.18, "Text Documents" and "Position".
"""

from __future__ import annotations

import re
from itertools import pairwise

from midfill.inference.text.line_breaks import LINE_BREAK

UTF_8 = "utf-8"
UTF_16 = "utf-16"
UTF_32 = "utf-32"

_SURROGATE = re.compile("[\ud800-\udfff]")


def split_lines(text: str) -> tuple[str, ...]:
    """The lines of ``text`` with their breaks; behind a last break stands one more, empty line."""
    breaks = [found.end() for found in LINE_BREAK.finditer(text)]
    return tuple(text[start:end] for start, end in pairwise([0, *breaks, len(text)]))


def code_units(text: str, encoding: str) -> int:
    """The length of ``text`` in code units of ``encoding``."""
    if encoding == UTF_32 or text.isascii():
        return len(text)
    if encoding == UTF_8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def characters_in(line: str, units: int, encoding: str) -> int:
    """How many whole characters fit into the first ``units`` code units of ``line``.

    Args:
        line: one line without its break; the surrogates in it must be joined.
        units: may reach past the end of the line, which then counts.
        encoding: `UTF_8`, `UTF_16` or `UTF_32`.
    """
    head = line[:units]  # no character takes less than one code unit
    if encoding == UTF_32 or head.isascii():
        return len(head)
    if encoding == UTF_8:
        return _characters_in_utf_8(head, units)
    return _characters_in_utf_16(head, units)


def join_surrogates(text: str) -> str:
    """``text`` with adjacent halves of surrogate pairs joined into one character.

    An editor that counts UTF-16 may send the two halves one after the other.
    """
    if not has_surrogate(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def has_surrogate(text: str) -> bool:
    return not text.isascii() and _SURROGATE.search(text) is not None


def _characters_in_utf_8(text: str, units: int) -> int:
    encoded = text.encode("utf-8", "surrogatepass")
    cut = min(units, len(encoded))
    while cut < len(encoded) and encoded[cut] & 0xC0 == 0x80:  # a continuation byte
        cut -= 1
    return len(encoded[:cut].decode("utf-8", "surrogatepass"))


def _characters_in_utf_16(text: str, units: int) -> int:
    encoded = text.encode("utf-16-le", "surrogatepass")
    cut = 2 * units
    if 0 < cut < len(encoded):
        behind_high = encoded[cut - 1] & 0xFC == 0xD8
        before_low = encoded[cut + 1] & 0xFC == 0xDC
        if behind_high and before_low:
            cut -= 2
    return len(encoded[:cut].decode("utf-16-le", "surrogatepass"))
