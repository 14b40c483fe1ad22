"""Answer validated customers with the served model: probability, decision and reasons."""
