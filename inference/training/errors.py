"""What can be wrong with a training run."""

from __future__ import annotations

from midfill.inference.errors import MidfillError, UsageError


class RecipeInvalid(UsageError):
    """A recipe file that is no recipe."""

    code = "recipe-invalid"


class CheckpointUnusable(MidfillError):
    """A checkpoint that is damaged, or of another recipe than the one to go on with."""

    code = "checkpoint-unusable"
