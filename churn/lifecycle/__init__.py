"""Decide which model serves: the gate, the promotion that moves the aliases, and the training runs that lead to both.

Used by the training flow and by `churn model`. Every decision is written to the store with its evidence.
"""
