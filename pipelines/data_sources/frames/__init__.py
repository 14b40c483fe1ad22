"""A published pandas frame as CSV: read in a process of its own that runs nothing of the pickle, held against a hash."""
