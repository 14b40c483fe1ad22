"""What may be learned from: outcomes of customers who were not acted on, and for whom each of them stands.

The one place that decides it. Every reader of outcomes for training, gate, monitor or rollout goes through it; see docs/adr/0025.
"""
