"""The HTTP service: predictions, outcomes, the model in service."""
