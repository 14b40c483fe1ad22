"""Run the service under uvicorn: workers, slow clients, coalesced writes, garbage collection, the container's health check.

Used by `churn serve` and the container image.
"""
