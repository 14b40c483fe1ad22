"""Faults of the service: killed workers, slow clients, clocks, replicas, wrong models."""
