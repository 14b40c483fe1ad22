"""Measure how good probabilities are: scorecard, intervals, slices, profit, curves and plots.

Used by training, by the gate, by the model card and by `churn evaluate`. Nothing here fits a model.
"""
