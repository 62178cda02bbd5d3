"""What can be wrong with a corpus."""

from __future__ import annotations

from midfill.inference.errors import MidfillError


class CorpusUnusable(MidfillError):
    """A folder that holds nothing to learn from, or not what was written there."""

    code = "corpus-unusable"
