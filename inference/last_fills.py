"""The last fills by the text that they followed, and what typing has left of them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict

MOST = 16
"""Fills kept of a caller, the latest ones."""

KEY_CHARACTERS = 400
"""Characters in front of a hole that tell it from others."""


class LastFills:
    """What was written behind which text.

    Whatever stands behind a hole, or in other files, may have changed meanwhile: what is left of a
    fill is believed, not known.
    """

    def __init__(self) -> None:
        self._written: dict[str, OrderedDict[str, str]] = defaultdict(OrderedDict)

    def note(self, prefix: str, written: str, caller: str = "") -> None:
        """Remember what was written behind a caller's text."""
        own = self._written[caller]
        key = prefix[-KEY_CHARACTERS:]
        own.pop(key, None)
        own[key] = written
        if len(own) > MOST:
            own.popitem(last=False)

    def left(self, prefix: str, caller: str = "") -> str:
        """What is left of the caller's latest fill that ``prefix`` goes into.

        Args:
            prefix: a text that a fill followed, and behind it what somebody typed of that fill.
            caller: whose it is.

        Returns:
            Empty if there is no such fill, or all of it is typed.
        """
        for key, written in reversed(self._written.get(caller, {}).items()):
            for typed in range(len(written)):
                # A text that is shorter than its key allows is a whole one, from its first line on.
                before = prefix[: len(prefix) - typed]
                if before[-KEY_CHARACTERS:] == key and before + written[:typed] == prefix:
                    return written[typed:]
        return ""

    def forget(self, caller: str) -> None:
        """Let go of what followed a caller's text."""
        self._written.pop(caller, None)

    def clear(self) -> None:
        self._written.clear()
