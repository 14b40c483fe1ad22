"""Failure modes: parts of the system are killed, filled up, cut off and confused under load; what was promised is counted."""
