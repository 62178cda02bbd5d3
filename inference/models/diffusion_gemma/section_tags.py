"""Tags around the sections of a question."""

from __future__ import annotations

from itertools import chain, count


def section_tag(name: str, text: str) -> str:
    """A tag that the text it stands around does not close: ``name``, or that with a number."""
    numbered = (f"{name}-{number}" for number in count(2))
    return next(tag for tag in chain([name], numbered) if f"</{tag}>" not in text)
