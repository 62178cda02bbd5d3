"""What a door learns when a replica is gone."""

from __future__ import annotations

from midfill.inference.errors import EngineUnavailable


class ReplicaLost(EngineUnavailable):
    """A replica went away before its answer was complete; another may give the whole of it."""
