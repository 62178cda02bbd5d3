"""What the caches of fully bidirectional models cost in accuracy, and what they save."""
