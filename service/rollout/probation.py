"""Probation: a new champion is watched for some time, and rolled back automatically if it does worse than the one before it.

Errors and latency are read from the counters that this process keeps anyway, every few seconds, so no request pays for it.
Outcomes are read from the store. The previous model, which is still loaded, scores the same customers, so that both models are
compared on the same outcomes: those of mature predictions (`churn.store.maturity`), since a model with lower probabilities looks
worse than it is where churners are heard of first, and of customers who were not acted on (`churn.store.treatment`). Where
labels take longer to mature than a probation lasts, outcomes do not judge it. Each worker tests its own requests, and all workers
the same outcomes; the evidence ends with the process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from churn.clock import now
from churn.errors import ChurnError, StoreError
from churn.store.records import EPOCH
from service.observability.model_metrics import ModelMetrics
from service.rollout.active_model import ActiveModel, is_same
from service.rollout.comparison_store import ComparisonStore
from service.rollout.probation_test import Bounds, ProbationEvidence, ProbationResult, RequestStats, is_slow, run_probation_test
from service.scoring.served_model import ServedModel
from service.threads import run_in_thread

if TYPE_CHECKING:
    from churn.store.shadow import Realized

MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.5, 15.0
# How many polls back the reference counts of the champion before begin.
POLLS_REMEMBERED = 60
MAX_OUTCOMES, OUTCOMES_PER_POLL = 5_000, 500
REQUESTS, LATENCY = "churn_http_requests", "churn_http_request_duration_seconds"
# Prefixes of the routes that predict. A batch takes as long as it is large, so latency is that of the route for one customer.
PREDICT = ("/predict", "/invocations", "/v2/models/")
ONE = "/predict"
# 503 answers too much load, or a log that is away: no model's fault.
EXCUSED = "503"
logger = logging.getLogger(__name__)


@dataclass
class _Watch:
    """One probation."""

    before: ServedModel
    after: ServedModel
    stats_before: RequestStats
    at_activation: RequestStats
    last: RequestStats
    activated_at: datetime
    ends_at: float
    slow_polls: int = 0
    outcome_seq: int = 0
    mature_until: datetime = EPOCH
    waiting: deque[Realized] = field(default_factory=deque)
    losses: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    customers: set[str] = field(default_factory=set)


class Probation:
    """Watches the model in service after each activation.

    Parameters
    ----------
    seconds : float
        How long a probation lasts; 0: no probation.
    bounds : Bounds
    store : ComparisonStore
    registry : CollectorRegistry
        The service's counters.
    metrics : ModelMetrics
    active_model : ActiveModel
    roll_back : callable
        Called with the model on probation and the result of its test: rolls back from that model to the one before it.
    clock : callable
        Returns seconds.

    Attributes
    ----------
    result : ProbationResult or None
        Of the last test in this probation.
    """

    def __init__(
        self,
        seconds: float,
        bounds: Bounds,
        store: ComparisonStore,
        registry: CollectorRegistry,
        metrics: ModelMetrics,
        active_model: ActiveModel,
        roll_back: Callable[[ServedModel, ProbationResult], Awaitable[object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.result: ProbationResult | None = None
        self._seconds = seconds
        self._bounds = bounds
        self._store = store
        self._registry = registry
        self._metrics = metrics
        self._active_model = active_model
        self._roll_back = roll_back
        self._clock = clock
        self._poll_seconds = min(max(seconds / POLLS_REMEMBERED, MIN_POLL_SECONDS), MAX_POLL_SECONDS)
        self._past: deque[RequestStats] = deque([RequestStats()], maxlen=POLLS_REMEMBERED)
        self._watch: _Watch | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, before: ServedModel, after: ServedModel) -> None:
        """Begin a probation.

        Parameters
        ----------
        before : ServedModel
            The model that was in service.
        after : ServedModel
            The model that has just replaced it.
        """
        if not self._seconds:
            return
        if self._watch is not None:
            self._end("cut short")
        at_activation = self.count()
        ends_at = self._clock() + self._seconds
        self._watch = _Watch(before, after, at_activation - self._past[0], at_activation, at_activation, now(), ends_at)
        self.result = None
        self._metrics.probation.set(1)
        logger.info("version %s is on probation for %g seconds, after version %s", after.version, self._seconds, before.version)

    def start(self) -> None:
        """Begin to poll. Needs a running event loop."""
        if self._seconds:
            self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop polling."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def poll(self) -> None:
        """Test the model on probation once, if it is still in service, and roll it back if it violates a bound."""
        watch, counted = self._watch, self.count()
        if watch is None:
            self._past.append(counted)
            return
        served = self._active_model.peek()
        if served is None or not is_same(served, watch.after):
            self._end("cut short")
            return
        slow = is_slow(watch.stats_before, counted - watch.last, self._bounds)
        if slow is not None:
            watch.last = counted
            watch.slow_polls = watch.slow_polls + 1 if slow else 0
        try:
            await run_in_thread(self._add_outcomes, watch)
        except StoreError as error:
            logger.warning("outcomes cannot be read: %s", error)
        if self._watch is not watch:
            return
        evidence = ProbationEvidence(counted - watch.at_activation, watch.slow_polls, watch.losses, watch.weights)
        result = await run_in_thread(run_probation_test, watch.stats_before, evidence, self._bounds)
        if self._watch is not watch:
            return
        self.result = result
        if self.result.kind == "violated":
            self._end("rolled back")
            logger.error("version %s failed its probation: %s", watch.after.version, self.result.reason)
            await self._roll_back(watch.after, result)
        elif self._clock() >= watch.ends_at:
            self._end("passed")
            logger.info("version %s passed its probation: %s", watch.after.version, self.result.reason)

    def _end(self, result: str) -> None:
        self._watch = None
        self._past.clear()
        self._past.append(self.count())
        self._metrics.probation.set(0)
        self._metrics.probations.labels(result).inc()

    def _add_outcomes(self, watch: _Watch) -> None:
        """Compare both models on the customers whose outcomes are new. (It blocks: call it in a thread.)

        A bet is on something new: of a customer with several outcomes, the first counts.
        """
        room = MAX_OUTCOMES - len(watch.losses) - len(watch.waiting)
        if room > 0:
            found = self._store.realized(
                watch.after.version,
                since=watch.activated_at,
                after_outcome_seq=watch.outcome_seq,
                mature_until=watch.mature_until,
                limit=room,
            )
            for one in found:
                watch.outcome_seq = max(watch.outcome_seq, one.outcome_seq)
                watch.mature_until = max(watch.mature_until, one.requested_at)
            watch.waiting.extend(found)
        names = watch.before.contract.feature_names
        for _ in range(min(len(watch.waiting), OUTCOMES_PER_POLL)):
            one = watch.waiting.popleft()
            if one.customer_id is not None:
                if one.customer_id in watch.customers:
                    continue
                watch.customers.add(one.customer_id)
            reference = watch.before.scorer.one([one.features.get(name) for name in names])
            watch.losses.append((one.churn_probability - one.churned) ** 2 - (reference - one.churned) ** 2)
            watch.weights.append(one.weight)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.poll()
            except ChurnError as error:
                logger.error("a model that failed its probation could not be rolled back: %s", error)

    def count(self) -> RequestStats:
        """Read this process's counters of prediction requests."""
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
        return RequestStats(requests, errors, tuple(latencies))
