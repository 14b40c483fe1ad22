"""Compare two versions of a model: terms, weights, scores, slices, and what changes for which customers.

Used by `churn model diff`. Nothing here decides: that is the gate's.
"""
