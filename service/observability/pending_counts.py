"""What was counted since the last round of the event loop: answers that share a write are added up, and counted at once.

prometheus_client takes two locks for each observation, which for a plain prediction is as much work as the model.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import RestrictedRegistry

from churn.store.records import PredictionRow


class PendingCounts:
    """Observations that are not in the metrics yet. They are by the next round of the event loop, or when `flush` is called.

    Parameters
    ----------
    probability : Histogram
        Of predicted probabilities.
    decisions : callable
        Returns the counter of a model version and a decision.
    missing : sequence of Counter
        One per feature, in the contract's order.
    """

    def __init__(self, probability: Histogram, decisions: Callable[[str, bool], Counter], missing: Sequence[Counter]) -> None:
        self._probability, self._decisions, self._missing = probability, decisions, missing
        self._predictions: list[PredictionRow] = []
        self._requests: dict[tuple[Counter, Histogram], list[float]] = {}
        self._is_due = False

    def add_prediction(self, row: PredictionRow, values: Sequence[Any]) -> None:
        """Add a prediction.

        Parameters
        ----------
        row : PredictionRow
        values : sequence
            The customer's values, one per feature in the contract's order.
        """
        self._predictions.append(row)
        if None in values:
            for counter, value in zip(self._missing, values, strict=True):
                if value is None:
                    counter.inc()
        if not self._is_due:
            self._call_later()

    def add_request(self, series: tuple[Counter, Histogram], seconds: float) -> None:
        """Add a request.

        Parameters
        ----------
        series : (Counter, Histogram)
            Of its route, method and status, and of its route.
        seconds : float
            How long it took.
        """
        found = self._requests.get(series)
        if found is None:
            found = self._requests[series] = []
        found.append(seconds)
        if not self._is_due:
            self._call_later()

    def flush(self) -> None:
        """Count everything that was added."""
        self._is_due = False
        predictions, self._predictions = self._predictions, []
        requests, self._requests = self._requests, {}
        for (version, churn), number in Tally([(row.model_version, row.churn) for row in predictions]).items():
            self._decisions(version, churn).inc(number)
        _observe(self._probability, [row.churn_probability for row in predictions])
        for (counter, histogram), seconds in requests.items():
            counter.inc(len(seconds))
            _observe(histogram, seconds)

    def _call_later(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # nobody would call
            self.flush()
            return
        self._is_due = True
        loop.call_soon(self.flush)


class FlushedRegistry(CollectorRegistry):
    """A registry that counts everything before it is read. To be read on the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.flush: Callable[[], None] = lambda: None

    def collect(self) -> Iterable[Metric]:
        """See `CollectorRegistry`."""
        self.flush()
        return super().collect()

    def restricted_registry(self, names: Iterable[str]) -> RestrictedRegistry:
        """See `CollectorRegistry`."""
        self.flush()
        return super().restricted_registry(names)


def _observe(histogram: Histogram, values: list[float]) -> None:
    if not values:
        return
    bounds = histogram._upper_bounds
    for bucket, number in Tally([bisect_left(bounds, value) for value in values]).items():
        histogram._buckets[bucket].inc(number)
    histogram._sum.inc(sum(values))
