from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from service.observability.model_metrics import DIFFERENCE_BUCKETS, ModelMetrics


@pytest.mark.parametrize(("path", "other"), [("compiled", "pipeline"), ("pipeline", "compiled")])
def test_one_scorer_is_in_use_at_a_time(path: str, other: str) -> None:
    registry = CollectorRegistry()
    metrics = ModelMetrics(registry)
    metrics.show_path(other)  # type: ignore[arg-type]
    metrics.show_path(path)  # type: ignore[arg-type]
    assert registry.get_sample_value("churn_model_path", {"path": path}) == 1.0
    assert registry.get_sample_value("churn_model_path", {"path": other}) == 0.0


def test_every_metric_of_the_rollout_can_be_scraped_from_the_start() -> None:
    registry = CollectorRegistry()
    metrics = ModelMetrics(registry)
    metrics.difference.observe(0.015)
    assert registry.get_sample_value("churn_shadow_difference_bucket", {"le": "0.02"}) == 1.0
    assert registry.get_sample_value("churn_shadow_difference_bucket", {"le": "0.01"}) == 0.0
    assert list(DIFFERENCE_BUCKETS) == sorted(DIFFERENCE_BUCKETS)
    assert {one.name for one in registry.collect()} == {
        "churn_model_path", "churn_model_trained_timestamp_seconds", "churn_registry_up", "churn_model_refused", "churn_shadow",
        "churn_shadow_difference", "churn_shadow_disagreements", "churn_probation_active", "churn_probations",
    }  # fmt: skip
