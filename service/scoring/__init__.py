"""Score validated customers with the served model: probability, decision and reasons.

Used by the prediction use case, the fast path and the shadow; model loading makes the served models.
"""
