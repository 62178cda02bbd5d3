"""Line breaks: models read ``\\n``, documents keep their own."""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum

LINE_BREAK = re.compile(r"\r\n|\n|\r")
"""What editors break lines at. `str.splitlines` knows more, such as form feeds; they do not."""


class LineBreak(StrEnum):
    """What ends a line of a document."""

    LF = "\n"
    CRLF = "\r\n"
    CR = "\r"


def line_break_of(text: str) -> LineBreak:
    """The line break that most lines of ``text`` end in.

    Of equally frequent ones it is the one that comes first; without any it is ``\\n``.
    """
    if "\r" not in text:
        return LineBreak.LF
    [(most_common, _)] = Counter(LINE_BREAK.findall(text)).most_common(1)
    return LineBreak(most_common)


def for_model(text: str) -> str:
    """``text`` with every line break as ``\\n``."""
    if "\r" not in text:
        return text
    return LINE_BREAK.sub("\n", text)


def in_document(fill: str, line_break: LineBreak) -> str:
    """A model's ``fill`` with the line breaks of the document that it goes into."""
    return for_model(fill).replace("\n", line_break)
