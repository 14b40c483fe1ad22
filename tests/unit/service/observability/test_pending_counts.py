from __future__ import annotations

import asyncio

import pytest

from churn.contract import load_contract
from churn.store.records import PredictionRow
from service.observability.metrics import ServiceMetrics
from service.observability.pending_counts import PendingCounts

FEATURES = load_contract().feature_names
GIVEN = [1.0] * len(FEATURES)


def row(probability: float, version: str = "1") -> PredictionRow:
    return PredictionRow("p", None, "2026-01-02 03:04:05.000000", version, probability, 0.5, probability >= 0.5, "{}")


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics(load_contract())


def exposed(metrics: ServiceMetrics) -> list[str]:
    return metrics.expose("")[0].decode().splitlines()


# On and between the bounds of the buckets: each must be counted where prometheus_client itself would.
PROBABILITIES = [0.0, 0.05, 0.0500001, 0.3, 0.5, 0.95, 0.99, 1.0]
SECONDS = [0.0, 0.001, 0.0011, 0.3, 10.0, 31.0]


@pytest.mark.anyio
async def test_what_is_added_up_is_what_single_observations_make(metrics: ServiceMetrics) -> None:
    plain = ServiceMetrics(load_contract())
    series = metrics.requests.labels("/predict", "POST", "200"), metrics.seconds.labels("/predict")
    for probability in PROBABILITIES:
        metrics.count_one(row(probability, "2" if probability == 0.3 else "1"), [None, *GIVEN[1:]])
        plain.probability.observe(probability)
    for seconds in SECONDS:
        metrics.pending.add_request(series, seconds)
        plain.seconds.labels("/predict").observe(seconds)
    lines = exposed(metrics)
    told = [line for line in exposed(plain) if line.startswith(("churn_predicted_probability_", "churn_http_request_duration"))]
    assert len(told) > 25
    assert {line for line in told if "_created" not in line} <= set(lines)
    assert 'churn_predictions_total{decision="stay",model_version="1"} 3.0' in lines
    assert 'churn_predictions_total{decision="stay",model_version="2"} 1.0' in lines
    assert 'churn_predictions_total{decision="churn",model_version="1"} 4.0' in lines
    assert 'churn_http_requests_total{method="POST",route="/predict",status="200"} 6.0' in lines
    assert f'churn_feature_missing_total{{feature="{FEATURES[0]}"}} 8.0' in lines


@pytest.mark.anyio
async def test_it_is_counted_by_the_next_round_though_nobody_reads(
    metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    flush = PendingCounts.flush
    monkeypatch.setattr(PendingCounts, "flush", lambda self: (flushed.append(1), flush(self))[1])
    for _ in range(3):
        metrics.count_one(row(0.1), GIVEN)
    assert not flushed
    await asyncio.sleep(0)
    assert len(flushed) == 1, "those of one round are counted together"
    metrics.count_one(row(0.1), GIVEN)
    await asyncio.sleep(0)
    assert metrics.predictions.labels("1", "stay")._value.get() == 4


def test_without_an_event_loop_it_is_counted_at_once(metrics: ServiceMetrics) -> None:
    metrics.count_one(row(0.1), GIVEN)
    assert metrics.predictions.labels("1", "stay")._value.get() == 1


@pytest.mark.anyio
async def test_whoever_reads_the_registry_misses_nothing(metrics: ServiceMetrics) -> None:
    metrics.count_one(row(0.1), GIVEN)
    assert metrics.registry.get_sample_value("churn_predicted_probability_count") == 1
    metrics.count_one(row(0.1), GIVEN)
    found = metrics.registry.restricted_registry(["churn_predicted_probability_count"]).collect()
    assert [sample.value for metric in found for sample in metric.samples] == [2]
