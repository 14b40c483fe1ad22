"""Segments: customers in groups that a person can name, by the reasons of their predictions.

Found once, when a model is trained (`churn.explain.segmenting`); afterwards they are a few numbers of the model's description.
"""
