"""Publish what the monitor knows as Prometheus metrics, read from the store at each scrape.

Run as its own process by `churn up`, compose and Kubernetes.
"""
