"""Write the model card: what a version is for, what it was trained on, how good it is and for whom.

Used at registration, by GET /model/card and by `churn model card`.
"""
