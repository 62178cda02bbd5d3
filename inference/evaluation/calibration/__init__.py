"""Calibrating confidences: from an evaluation's records to a regression and what it is worth."""
