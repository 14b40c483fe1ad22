"""The service's metrics: what is counted under which name, and how several workers share them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from prometheus_client import Gauge

from churn.contract import load_contract
from churn.modeling.model_info import ModelInfo
from churn.store.contacts.records import ContactReceipt
from churn.store.records import OutcomeReceipt
from service.observability import metrics as module
from service.observability.metrics import (
    PROBABILITY_BUCKETS,
    SECONDS_BUCKETS,
    SHARED_FOLDER,
    ServiceMetrics,
    forget_dead_workers,
    live_workers,
)
from service.scoring.scored_batch import ScoredBatch


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics(load_contract())


def exposed(metrics: ServiceMetrics) -> dict[str, float]:
    """Every series with its value."""
    lines = metrics.expose("")[0].decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs if "_created" not in name}


def batch(probabilities: list[float], **values: list[float]) -> ScoredBatch:
    found = np.array(probabilities)
    columns = {name: np.array(column) for name, column in values.items()}
    made = SimpleNamespace(probabilities=found, churn=found >= 0.5, model_version="7", customers=SimpleNamespace(values=columns))
    return cast(ScoredBatch, made)


def test_names_and_buckets_are_those_that_dashboards_and_alerts_know(metrics: ServiceMetrics) -> None:
    metrics.predictions.labels("7", "churn")
    metrics.requests.labels("/predict", "POST", "200")
    metrics.seconds.labels("/predict")
    metrics.reloads.labels("ok")
    metrics.model_info.labels("7", "r", "d")
    metrics.rejected.labels("p")
    names = {name.partition("{")[0] for name in exposed(metrics)}
    assert names >= {
        "churn_predictions_total", "churn_predicted_probability_bucket", "churn_http_requests_total",
        "churn_http_request_duration_seconds_bucket", "churn_model_info", "churn_model_loaded_timestamp_seconds",
        "churn_model_reloads_total", "churn_feature_missing_total", "churn_log_written_total", "churn_log_spooled",
        "churn_log_replayed_total", "churn_log_damaged_bytes_total", "churn_log_refused_total", "churn_log_lag_seconds",
        "churn_requests_shed_total", "churn_rejected_total", "churn_opt_outs_known", "churn_opt_outs_read_timestamp_seconds",
        "churn_model_trained_timestamp_seconds", "churn_registry_up", "churn_process_resident_memory_bytes",
    }  # fmt: skip
    for name, bounds in (("predicted_probability", PROBABILITY_BUCKETS), ("http_request_duration_seconds", SECONDS_BUCKETS)):
        found = [line for line in exposed(metrics) if line.startswith(f"churn_{name}_bucket")]
        told = [float(line.partition('le="')[2].partition('"')[0]) for line in found]
        assert told == [*bounds, float("inf")]


def test_each_gauge_says_how_several_workers_are_one(metrics: ServiceMetrics) -> None:
    gauges = {name: one for name, one in vars(metrics).items() if isinstance(one, Gauge)}
    assert {name: one._multiprocess_mode for name, one in gauges.items()} == {
        "model_info": "livemax", "model_loaded": "livemin",
        "opt_outs": "livemin", "opt_outs_read": "livemin",
    }  # fmt: skip


def test_a_batch_is_counted_as_its_predictions_are(metrics: ServiceMetrics) -> None:
    one_by_one = ServiceMetrics(load_contract())
    probabilities = [0.0, 0.05, 0.0500001, 0.3, 0.5, 0.5, 0.95, 1.0]
    for probability in probabilities:
        one_by_one.probability.observe(probability)
    columns: dict[str, Any] = {
        "total_day_minutes": [np.nan, np.nan, *[1.0] * 6],
        "state": [-1, 0, 1, 2, -1, 3, 4, -1],
        "account_length": [1.0] * 8,
    }
    metrics.count_many(batch(probabilities, **columns))
    found, plain = exposed(metrics), exposed(one_by_one)
    told = {name: value for name, value in plain.items() if name.startswith("churn_predicted_probability")}
    assert len(told) > 10
    assert {name: found[name] for name in told} == pytest.approx(told)
    assert found['churn_predictions_total{decision="churn",model_version="7"}'] == 4
    assert found['churn_predictions_total{decision="stay",model_version="7"}'] == 4
    missing = {name: found[f'churn_feature_missing_total{{feature="{name}"}}'] for name in columns}
    assert missing == {"total_day_minutes": 2, "state": 3, "account_length": 0}


@pytest.mark.parametrize(("probability", "decision"), [(0.9, "churn"), (0.1, "stay")])
def test_a_decision_that_nobody_got_has_no_series(metrics: ServiceMetrics, probability: float, decision: str) -> None:
    metrics.count_many(batch([probability] * 3))
    found = {name: value for name, value in exposed(metrics).items() if name.startswith("churn_predictions_total")}
    assert found == {f'churn_predictions_total{{decision="{decision}",model_version="7"}}': 3}


def test_what_became_of_outcomes_and_contacts_is_counted(metrics: ServiceMetrics) -> None:
    for _ in range(2):
        metrics.count_outcomes(OutcomeReceipt(accepted=2, duplicates=3, unknown=["a"] * 5, conflicting=["b"] * 7, corrected=11))
        metrics.count_contacts(ContactReceipt(accepted=13, duplicates=17, unknown=["a"] * 19, conflicting=["b"] * 23))
    found = exposed(metrics)
    told = {
        "outcomes": {"accepted": 4, "duplicate": 6, "unknown": 10, "conflicting": 14, "corrected": 22},
        "contacts": {"accepted": 26, "duplicate": 34, "unknown": 38, "conflicting": 46},
    }
    for what, results in told.items():
        series = {f'churn_{what}_received_total{{result="{result}"}}': number for result, number in results.items()}
        assert {name: value for name, value in found.items() if name.startswith(f"churn_{what}_received")} == series


def info(version: str) -> ModelInfo:
    return ModelInfo(
        name="churn", version=version, run_id=f"r{version}", trained_at=datetime(2026, 3, 1, tzinfo=UTC), data_digest="d",
        data_source="s", rows=10, contract="telecom", contract_digest="c", features=["a"], threshold=0.25,
    )  # fmt: skip


def test_one_model_is_in_service_at_a_time(metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "time", lambda: 1_700_000_000.5)
    for version in ("1", "2"):
        metrics.show_model(info(version))
    found = exposed(metrics)
    series = 'churn_model_info{{data_digest="d",run_id="r{0}",version="{0}"}}'
    assert [found[series.format(version)] for version in ("1", "2")] == [0, 1]
    assert found["churn_model_loaded_timestamp_seconds"] == 1_700_000_000.5
    assert found["churn_model_trained_timestamp_seconds"] == datetime(2026, 3, 1, tzinfo=UTC).timestamp()


def test_the_format_is_the_one_that_is_asked_for(metrics: ServiceMetrics) -> None:
    plain, media_type = metrics.expose("text/plain")
    assert media_type.startswith("text/plain")
    assert not plain.endswith(b"# EOF\n")
    other, media_type = metrics.expose("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert other.endswith(b"# EOF\n")


NOBODY = 2**31 - 7


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Files of this process, of one that is gone, and of nobody."""
    for name in (f"gauge_livemax_{os.getpid()}.db", f"gauge_livemax_{NOBODY}.db", f"counter_{NOBODY}.db", "gauge_livesum_x.db"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_workers_are_told_by_their_gauges(shared: Path) -> None:
    assert sorted(live_workers(shared)) == sorted([os.getpid(), NOBODY])


def test_gauges_of_dead_workers_are_forgotten_and_their_counters_stay(shared: Path) -> None:
    forget_dead_workers(shared)
    assert sorted(path.name for path in shared.iterdir()) == sorted(
        [f"gauge_livemax_{os.getpid()}.db", f"counter_{NOBODY}.db", "gauge_livesum_x.db"]
    )


def test_of_several_workers_all_are_exposed(metrics: ServiceMetrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    monkeypatch.setenv(SHARED_FOLDER, str(tmp_path))
    monkeypatch.setattr(metrics.pending, "flush", lambda: flushed.append(True))
    (tmp_path / f"gauge_livemax_{os.getpid()}.db").write_bytes(b"")
    (tmp_path / f"gauge_livemin_{NOBODY}.db").write_bytes(b"")
    monkeypatch.setattr(module, "MultiProcessCollector", lambda registry, path: flushed.append(path == str(tmp_path)))
    text = metrics.expose("")[0].decode()
    assert flushed == [True, True]
    # Of the shared files only: this test has none with values. Beside them, the processes.
    assert "churn_predictions_total" not in text
    assert "churn_process_resident_memory_bytes" in text
    assert not (tmp_path / f"gauge_livemin_{NOBODY}.db").exists()


def test_in_a_shared_folder_each_worker_does_not_count_its_own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SHARED_FOLDER, "/nowhere")
    made = ServiceMetrics(load_contract())
    monkeypatch.delenv(SHARED_FOLDER)
    assert "churn_process_resident_memory_bytes" not in made.expose("")[0].decode()
