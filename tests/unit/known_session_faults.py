"""What a session is let pass with for now; each of these is to become False, then to go."""

from __future__ import annotations

CANCELLED_COMMANDS_GO_ON = True
"""A command edits the document although the client has cancelled it."""

EXPIRED_SUGGESTIONS_STAY = True
"""Of a hidden document suggestions are kept that are too old to be given."""
