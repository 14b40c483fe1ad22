"""What campaigns brought, as metrics: counted in a thread beside the scrapes, as a large campaign takes longer than one may."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from prometheus_client.core import Metric

from churn.campaigns.effect import SCORE_STEPS, Effect, estimate_effect
from churn.clock import now
from churn.errors import StoreError
from churn.store.contacts.campaign_counter import CampaignCounts
from churn.store.contacts.records import Campaign
from churn.store.maturity import label_maturity
from churn.store.records import NO_LIMIT
from churn.store.store import Store
from monitoring.exporter.metrics import exported

# A handful of series each. The outcomes of older campaigns are long known: `churn campaign report` tells of them.
MAX_CAMPAIGNS, MAX_AGE = 20, timedelta(days=120)
# Between two counts; also ten times as long as the last one took, so that counting has a tenth of a core at most.
MIN_PAUSE_SECONDS, PAUSE_FACTOR = 60.0, 9.0
# How long a scrape waits for a count that is being made: enough for small stores, so that the first scrape knows.
WAIT_SECONDS = 1.0


class _Measured(NamedTuple):
    """A campaign as it was counted last."""

    campaign: Campaign
    counts: CampaignCounts
    effect: Effect | None
    at: float


class CampaignMetrics:
    """Counts the newest campaigns now and then, and tells what it knows at each scrape.

    Parameters
    ----------
    pause_seconds : float
        Between two counts, at least.
    wait_seconds : float
        How long a scrape waits for a count.
    label_maturity_seconds : float, optional
        As of the settings: how old a prediction must be for its outcome to count; found from the outcomes by default.
    """

    def __init__(
        self,
        pause_seconds: float = MIN_PAUSE_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
        label_maturity_seconds: float | None = None,
    ) -> None:
        self._pause, self._wait = pause_seconds, wait_seconds
        self._maturity_setting = label_maturity_seconds
        self._known: dict[str, _Measured] = {}
        self._thread: threading.Thread | None = None
        self._next = 0.0

    def collect(self, store: Store) -> Iterator[Metric]:
        """Yield the metrics of the campaigns counted so far; begin to count again if it is time. One scrape at a time."""
        if (self._thread is None or not self._thread.is_alive()) and time.monotonic() >= self._next:
            self._thread = threading.Thread(target=self._measure, args=(store,), name="campaigns", daemon=True)
            self._thread.start()
        self.wait(self._wait)
        yield from _families(self._known)

    def wait(self, seconds: float) -> None:
        """Wait until nothing is being counted, at most so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _measure(self, store: Store) -> None:
        began = time.monotonic()
        try:
            campaigns = [one for one in store.campaigns(newest=MAX_CAMPAIGNS) if one.last_contact_at >= now() - MAX_AGE]
            until = label_maturity(store, self._maturity_setting, now()).until(now()) if campaigns else NO_LIMIT
            known = {one.name: self._known[one.name] for one in campaigns if one.name in self._known}
            for one in campaigns:
                try:
                    counts = store.count_campaign(one.name, SCORE_STEPS, mature_until=until)
                except StoreError:
                    continue  # what was known stays, with its time
                if counts is None:
                    continue  # its contacts name nobody, or are gone
                effect = estimate_effect(counts.customers, counts.left)
                known[one.name] = _Measured(one, counts, effect, now().timestamp())
            self._known = known
        except StoreError:
            pass  # the scrape finds out by itself that the store is away
        finally:
            took = time.monotonic() - began
            self._next = time.monotonic() + max(self._pause, PAUSE_FACTOR * took)


def _families(known: dict[str, _Measured]) -> Iterator[Metric]:
    last: dict[tuple[str, ...], float] = {}
    customers: dict[tuple[str, ...], float] = {}
    saved: dict[tuple[str, ...], float] = {}
    size: dict[tuple[str, ...], float] = {}
    for name, one in known.items():
        counts, effect = one.counts, one.effect
        last[name,] = one.campaign.last_contact_at.timestamp()
        groups = {"meant": counts.named, "held_out": counts.held_out, "contacted": counts.contacted}
        groups |= {"leaked": counts.leaked, "waiting": counts.waiting}
        customers |= {(name, group): float(count) for group, count in groups.items()}
        size[name,] = effect.effective_held_out if effect is not None else 0.0
        if effect is not None:
            bounds = {"estimate": effect.saved.value, "low": effect.saved.low, "high": effect.saved.high}
            saved |= {(name, bound): value for bound, value in bounds.items()}
    yield exported("churn_campaign_last_contact_timestamp_seconds", last)
    yield exported("churn_campaign_customers", customers)
    yield exported("churn_campaign_saved", saved)
    yield exported("churn_campaign_effective_sample_size", size)
    yield exported("churn_campaign_measured_timestamp_seconds", {(name,): one.at for name, one in known.items()})
