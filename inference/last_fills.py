"""The last fills by the text that they followed, and what typing has left of them."""

from __future__ import annotations

from collections import OrderedDict

MOST = 16
"""Fills kept, the latest ones."""

KEY_CHARACTERS = 400
"""Characters in front of a hole that tell it from others."""


class LastFills:
    """What was written behind which text.

    Whatever stands behind a hole, or in other files, may have changed meanwhile: what is left of a
    fill is believed, not known.
    """

    def __init__(self) -> None:
        self._written: OrderedDict[str, str] = OrderedDict()

    def note(self, prefix: str, written: str) -> None:
        """Remember what was written behind a text."""
        key = prefix[-KEY_CHARACTERS:]
        self._written.pop(key, None)
        self._written[key] = written
        if len(self._written) > MOST:
            self._written.popitem(last=False)

    def left(self, prefix: str) -> str:
        """What is left of the latest fill that ``prefix`` goes into.

        Args:
            prefix: a text that a fill followed, and behind it what somebody typed of that fill.

        Returns:
            Empty if there is no such fill, or all of it is typed.
        """
        for key, written in reversed(self._written.items()):
            for typed in range(len(written)):
                # A text that is shorter than its key allows is a whole one, from its first line on.
                before = prefix[: len(prefix) - typed]
                if before[-KEY_CHARACTERS:] == key and before + written[:typed] == prefix:
                    return written[typed:]
        return ""

    def clear(self) -> None:
        self._written.clear()
