"""Explain one prediction exactly: contributions in log-odds that add up to the model's own logit.

Used by the service for `?reasons=k` and by the model card.
"""
