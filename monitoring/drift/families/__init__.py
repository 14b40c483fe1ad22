"""The families of drift tests that share a run's alpha: numbers, levels and counts, dependence; and what a difference does."""
