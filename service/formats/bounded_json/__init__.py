"""Large JSON: what it would take is known before it is parsed, and it is parsed in pieces."""
