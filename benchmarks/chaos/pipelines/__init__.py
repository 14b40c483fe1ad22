"""Faults of flows, registry and artifacts, with the real programs."""
