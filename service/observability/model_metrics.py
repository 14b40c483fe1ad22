"""Metrics of the rollout: the scorer in use, refused versions, shadow scoring and probation."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

DIFFERENCE_BUCKETS = (0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


class ModelMetrics:
    """The metrics of the rollout."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.path = Gauge(
            "churn_model_path",
            "1 for the scorer in use: the compiled model, or the pipeline itself.",
            ["path"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.trained = Gauge(
            "churn_model_trained_timestamp_seconds",
            "When the model in service was trained (of several workers: the oldest).",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.registry_up = Gauge(
            "churn_registry_up",
            "1 if the registry answered the last poll, else 0.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.refused = Gauge(
            "churn_model_refused",
            "1 for a version that was refused; 0 once it was accepted.",
            ["version"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.shadow = Counter(
            "churn_shadow_total",
            "Predictions offered to the challenger: logged, dropped because there were too many, or failed.",
            ["result"],
            registry=registry,
        )
        self.difference = Histogram(
            "churn_shadow_difference",
            "Absolute difference between the challenger's probability and the champion's.",
            buckets=DIFFERENCE_BUCKETS,
            registry=registry,
        )
        self.disagreements = Counter(
            "churn_shadow_disagreements_total",
            "Customers for whom challenger and champion decide differently.",
            registry=registry,
        )
        self.probation = Gauge(
            "churn_probation_active",
            "1 while a new champion is on probation.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.probations = Counter(
            "churn_probations_total", "Probations that ended: passed, rolled back, or cut short.", ["result"], registry=registry
        )

    def show_path(self, path: Literal["compiled", "pipeline"]) -> None:
        """Show which scorer is in use from now on."""
        for name in ("compiled", "pipeline"):
            self.path.labels(name).set(float(name == path))
