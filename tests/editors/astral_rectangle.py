"""The rectangle of `rectangle.py` with a sign before the cursor that takes two units of UTF-16."""

from __future__ import annotations

from rectangle import RECTANGLE, REST, TYPED

ASTRAL = RECTANGLE.replace("        return \n", "        clef = '𝄞'; return \n")
"""The sign is one character for editors that count characters, and four bytes of UTF-8."""

CURSOR = ASTRAL.index("return \n") + len("return ")
"""Where `TYPED` goes, in characters."""

FILLED_ASTRAL = ASTRAL.replace("return \n", f"return {TYPED}{REST}\n")
