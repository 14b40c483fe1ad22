"""Params for a training of seconds: the form of params.yaml with one candidate. `make images` trains with those of the image."""

QUICK = """
model: {form: terms}
tuning: {folds: 2, grid: {features__trees: [50], features__strictness: [0.5], logreg__C: [1.0]}}
evaluation: {resamples: 100}
gate: {resamples: 500}
"""
