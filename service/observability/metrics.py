"""The service's Prometheus metrics, one set per app. Names and labels are a contract with dashboards and alerts."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from churn.contract import Contract
from churn.store.contacts.records import ContactReceipt
from churn.store.records import OutcomeReceipt, PredictionRow
from service.observability.log_metrics import LogMetrics
from service.observability.model_metrics import ModelMetrics
from service.observability.pending_counts import FlushedRegistry, PendingCounts
from service.observability.process_metrics import ProcessCollector

if TYPE_CHECKING:
    from churn.modeling.model_info import ModelInfo
    from service.scoring.scored_batch import ScoredBatch

# prometheus_client reads it when it is imported. If it is set, all values are kept in files that the workers share.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
PROBABILITY_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ServiceMetrics:
    """The service's metrics. Counters of several workers add up; each gauge says how the workers' values are combined."""

    def __init__(self, contract: Contract) -> None:
        self.registry = FlushedRegistry()
        r = self.registry
        self.predictions = Counter(
            "churn_predictions_total", "Predictions that were answered.", ["model_version", "decision"], registry=r
        )
        self.probability = Histogram(
            "churn_predicted_probability", "Predicted churn probabilities.", buckets=PROBABILITY_BUCKETS, registry=r
        )
        self.requests = Counter("churn_http_requests_total", "HTTP requests.", ["route", "method", "status"], registry=r)
        self.seconds = Histogram(
            "churn_http_request_duration_seconds",
            "Duration of a request, in seconds.",
            ["route"],
            buckets=SECONDS_BUCKETS,
            registry=r,
        )
        # A gauge, as workers cannot share prometheus_client's Info, nor remove a series.
        self.model_info = Gauge(
            "churn_model_info",
            "1 for the model in service, 0 for those it replaced.",
            ["version", "run_id", "data_digest"],
            registry=r,
            multiprocess_mode="livemax",
        )
        self.model_loaded = Gauge(
            "churn_model_loaded_timestamp_seconds",
            "When the model in service was loaded (of several workers: the oldest).",
            registry=r,
            multiprocess_mode="livemin",
        )
        self.reloads = Counter("churn_model_reloads_total", "Attempts to activate another model.", ["result"], registry=r)
        missing = Counter(
            "churn_feature_missing_total", "Predictions for customers without this feature.", ["feature"], registry=r
        )
        self.missing = {column.name: missing.labels(column.name) for column in contract.features}
        self.log = LogMetrics(r)
        self.shed = Counter("churn_requests_shed_total", "Requests that exceeded a limit (503 or 429).", registry=r)
        self.rejected = Counter("churn_rejected_total", "Requests answered with a problem.", ["problem"], registry=r)
        self.outcomes = Counter("churn_outcomes_received_total", "Outcomes received.", ["result"], registry=r)
        self.contacts = Counter("churn_contacts_received_total", "Contacts and opt-outs received.", ["result"], registry=r)
        self.opt_outs = Gauge(
            "churn_opt_outs_known",
            "Customers who want no contacts, as the service knows them: their action is none (of several workers: the fewest).",
            registry=r,
            multiprocess_mode="livemin",
        )
        self.opt_outs_read = Gauge(
            "churn_opt_outs_read_timestamp_seconds",
            "When they were last read from the store (of several workers: the oldest). 0: never yet.",
            registry=r,
            multiprocess_mode="livemin",
        )
        self.models = ModelMetrics(r)
        if SHARED_FOLDER not in os.environ:
            r.register(ProcessCollector(lambda: [os.getpid()]))
        self._in_service: Gauge | None = None
        self._decisions: dict[tuple[str, bool], Counter] = {}
        self.pending = PendingCounts(self.probability, self._decision, list(self.missing.values()))
        self.registry.flush = self.pending.flush

    def count_one(self, row: PredictionRow, values: Sequence[Any]) -> None:
        """Count a prediction.

        Parameters
        ----------
        row : PredictionRow
        values : sequence
            The customer's values, one per feature in the contract's order.
        """
        self.pending.add_prediction(row, values)

    def _decision(self, version: str, churn: bool) -> Counter:
        counter = self._decisions.get((version, churn))
        if counter is None:
            counter = self._decisions[version, churn] = self.predictions.labels(version, "churn" if churn else "stay")
        return counter

    def count_many(self, batch: ScoredBatch) -> None:
        """Count the predictions of a batch."""
        buckets = np.searchsorted(PROBABILITY_BUCKETS, batch.probabilities)
        for bucket, number in enumerate(np.bincount(buckets, minlength=len(PROBABILITY_BUCKETS)).tolist()):
            if number:
                self.probability._buckets[bucket].inc(number)
        self.probability._sum.inc(float(batch.probabilities.sum()))
        churn = int(batch.churn.sum())
        for decision, number in (("churn", churn), ("stay", len(batch.churn) - churn)):
            if number:
                self.predictions.labels(batch.model_version, decision).inc(number)
        for name, values in batch.customers.values.items():
            absent = int(np.count_nonzero(np.isnan(values) if values.dtype.kind == "f" else values < 0))
            if absent:
                self.missing[name].inc(absent)

    def count_outcomes(self, receipt: OutcomeReceipt) -> None:
        """Count received outcomes by what became of them."""
        self.outcomes.labels("accepted").inc(receipt.accepted)
        self.outcomes.labels("duplicate").inc(receipt.duplicates)
        self.outcomes.labels("unknown").inc(len(receipt.unknown))
        self.outcomes.labels("conflicting").inc(len(receipt.conflicting))
        self.outcomes.labels("corrected").inc(receipt.corrected)

    def count_contacts(self, receipt: ContactReceipt) -> None:
        """Count received contacts by what became of them."""
        self.contacts.labels("accepted").inc(receipt.accepted)
        self.contacts.labels("duplicate").inc(receipt.duplicates)
        self.contacts.labels("unknown").inc(len(receipt.unknown))
        self.contacts.labels("conflicting").inc(len(receipt.conflicting))

    def show_model(self, info: ModelInfo) -> None:
        """Show which model is in service from now on."""
        if self._in_service is not None:
            self._in_service.set(0)
        self._in_service = self.model_info.labels(info.version, info.run_id, info.data_digest)
        self._in_service.set(1)
        self.model_loaded.set(time.time())
        self.models.trained.set(info.trained_at.timestamp())

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics of all workers in the format that the `Accept` header asks for, and its media type."""
        registry: CollectorRegistry = self.registry
        folder = os.environ.get(SHARED_FOLDER)
        if folder is not None:
            self.pending.flush()
            forget_dead_workers(Path(folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
            registry.register(ProcessCollector(partial(live_workers, Path(folder))))
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type


def live_workers(folder: Path) -> list[int]:
    """Return the ids of the processes that share their metrics in `folder`."""
    named = {file.stem.rpartition("_")[2] for file in folder.glob("gauge_live*_*.db")}
    return [int(pid) for pid in named if pid.isdecimal()]


def forget_dead_workers(folder: Path) -> None:
    """Delete the gauges of dead workers: nothing else does when a worker is killed. Counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdecimal() and not Path("/proc", pid).exists() and Path("/proc/self").exists():
            mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]
