"""Probation: for some time a new champion is watched, and left again by itself if it does worse than the one before it.

Errors and latency are read off the counters that this process keeps anyway, every few seconds: no request pays for it. What came
true is asked of the store; the model before, which is still warm, answers the same customers again, so that both are judged by
the same outcomes. (If those who leave are heard of first, both are judged by them: then a model that says less of everybody looks
worse than it is. CHURN_PROBATION_BRIER is the room for that.) A worker judges by its own requests, and all by the same outcomes;
what it knows of them does not outlive it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry

from churn.clock import now
from churn.errors import ChurnError, StoreError
from service.observability.model_metrics import ModelMetrics
from service.rollout.active_model import ActiveModel, is_same
from service.rollout.comparison_store import ComparisonStore
from service.rollout.probation_test import Bounds, Period, ProbationEvidence, ProbationResult, is_slow, run_probation_test
from service.scoring.served_model import ServedModel

MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.5, 15.0
# So many looks back, the champion before was as it usually is.
POLLS_REMEMBERED = 60
MAX_OUTCOMES, OUTCOMES_PER_POLL = 5_000, 500
REQUESTS, LATENCY = "churn_http_requests", "churn_http_request_duration_seconds"
# The routes that predict, by their beginnings. A batch takes as long as it is large, so latency is that of one customer.
PREDICT = ("/predict", "/invocations", "/v2/models/")
ONE = "/predict"
# 503 is an answer to too much load, or to a log that is away: no model's fault.
EXCUSED = "503"
logger = logging.getLogger(__name__)


@dataclass
class _Watch:
    """One probation."""

    before: ServedModel
    after: ServedModel
    usual: Period
    at_activation: Period
    last: Period
    activated_at: datetime
    ends_at: float
    slow_polls: int = 0
    outcome_seq: int = 0
    losses: list[float] = field(default_factory=list)


class Probation:
    """Watches the model in service after each swap.

    Parameters
    ----------
    seconds : float
        How long; 0: never.
    bounds : Bounds
    store : ComparisonStore
    registry : CollectorRegistry
        The service's own counters.
    metrics : ModelMetrics
    active_model : ActiveModel
    roll_back : callable
        Of a reason: leaves the model in service for the one before.
    """

    def __init__(
        self,
        seconds: float,
        bounds: Bounds,
        store: ComparisonStore,
        registry: CollectorRegistry,
        metrics: ModelMetrics,
        active_model: ActiveModel,
        roll_back: Callable[[str], Awaitable[object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.verdict: ProbationResult | None = None
        self._seconds = seconds
        self._bounds = bounds
        self._store = store
        self._registry = registry
        self._metrics = metrics
        self._active_model = active_model
        self._roll_back = roll_back
        self._clock = clock
        self._poll_seconds = min(max(seconds / POLLS_REMEMBERED, MIN_POLL_SECONDS), MAX_POLL_SECONDS)
        self._past: deque[Period] = deque([Period()], maxlen=POLLS_REMEMBERED)
        self._watch: _Watch | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, before: ServedModel, after: ServedModel) -> None:
        """Watch `after`, which took over from `before` now."""
        if not self._seconds:
            return
        if self._watch is not None:
            self._end("cut short")
        at_activation = self.count()
        ends_at = self._clock() + self._seconds
        self._watch = _Watch(before, after, at_activation - self._past[0], at_activation, at_activation, now(), ends_at)
        self.verdict = None
        self._metrics.probation.set(1)
        logger.info("version %s is on probation for %g seconds, after version %s", after.version, self._seconds, before.version)

    def start(self) -> None:
        """Begin to look. Needs a running event loop."""
        if self._seconds:
            self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def look(self) -> None:
        """Look once: judge the model on probation if it is still in service, and leave it if it broke its bounds."""
        watch, counted = self._watch, self.count()
        if watch is None:
            self._past.append(counted)
            return
        served = self._active_model.peek()
        if served is None or not is_same(served, watch.after):
            self._end("cut short")
            return
        slow = is_slow(watch.usual, counted - watch.last, self._bounds)
        if slow is not None:
            watch.last = counted
            watch.slow_polls = watch.slow_polls + 1 if slow else 0
        try:
            await asyncio.to_thread(self._add_outcomes, watch)
        except StoreError as error:
            logger.warning("what came true is not known: %s", error)
        if self._watch is not watch:
            return
        trial = ProbationEvidence(counted - watch.at_activation, watch.slow_polls, watch.losses)
        self.verdict = await asyncio.to_thread(run_probation_test, watch.usual, trial, self._bounds)
        if self.verdict.kind == "broken":
            self._end("rolled back")
            logger.error("version %s broke its probation: %s", watch.after.version, self.verdict.reason)
            await self._roll_back(self.verdict.reason)
        elif self._clock() >= watch.ends_at:
            self._end("passed")
            logger.info("version %s passed its probation: %s", watch.after.version, self.verdict.reason)

    def _end(self, result: str) -> None:
        self._watch = None
        self._past.clear()
        self._past.append(self.count())
        self._metrics.probation.set(0)
        self._metrics.probations.labels(result).inc()

    def _add_outcomes(self, watch: _Watch) -> None:
        """Let the model before answer the customers of whom it was told what came true. (It blocks: call it in a thread.)"""
        room = MAX_OUTCOMES - len(watch.losses)
        if room <= 0:
            return
        told = self._store.realized(
            watch.after.version, since=watch.activated_at, after_outcome_seq=watch.outcome_seq, limit=min(room, OUTCOMES_PER_POLL)
        )
        names = watch.before.contract.feature_names
        for one in told:
            other = watch.before.scorer.one([one.features.get(name) for name in names])
            watch.losses.append((one.churn_probability - one.churned) ** 2 - (other - one.churned) ** 2)
            watch.outcome_seq = one.outcome_seq

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.look()
            except ChurnError as error:
                logger.error("a model that broke its probation could not be left: %s", error)

    def count(self) -> Period:
        """Read the counters of this process."""
        requests = errors = 0
        within: dict[float, int] = {}
        for metric in self._registry.restricted_registry([f"{REQUESTS}_total", f"{LATENCY}_bucket"]).collect():
            for sample in metric.samples:
                route = sample.labels.get("route", "")
                if sample.name == f"{REQUESTS}_total" and route.startswith(PREDICT):
                    requests += int(sample.value)
                    status = sample.labels["status"]
                    errors += int(sample.value) if status >= "500" and status != EXCUSED else 0
                elif sample.name == f"{LATENCY}_bucket" and route == ONE:
                    within[float(sample.labels["le"])] = int(sample.value)
        below, latencies = 0, []
        for bound in sorted(within):
            latencies.append((bound, within[bound] - below))
            below = within[bound]
        return Period(requests, errors, tuple(latencies))
