"""Keep models in MLflow: register, find, load and alias versions. The only package that imports MLflow.

Used by the training flow, by the service's model loading and by `churn model`.
"""
