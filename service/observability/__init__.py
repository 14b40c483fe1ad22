"""What operators see of the service: Prometheus metrics, logs and traces.

Used by the gateway, the prediction use case, the prediction log and the rollout, which record what they do.
"""
