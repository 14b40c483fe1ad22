"""Fairness that acts: gaps between groups of customers, compared between two models, and a training that narrows them."""
