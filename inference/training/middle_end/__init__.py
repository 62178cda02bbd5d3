"""Teaching a small head where the middle ends."""
