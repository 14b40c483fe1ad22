"""Faults of the store: away, slow, full, damaged."""
