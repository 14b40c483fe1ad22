"""Would more customers help? Is the model too simple? Learning and validation curves, and one sentence that reads each.

Validation curves of what was searched come from the tuning's own scores and cost nothing; the others are computed on demand
(`churn train --curves`).
"""
