"""A year of the loop as telecoms live it: one base scored every month, outcomes every night, and things that change."""
