"""Make up customers: a seeded population with known causes of churn, and knobs for covariate shift and concept drift.

Used by `churn data simulate`, by `churn traffic`, by the demo and by the benchmarks.
"""
