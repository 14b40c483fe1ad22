"""Campaigns as metrics: what `churn campaign report` would say, counted beside the scrapes, and kept while the store is slow."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from churn.campaigns.effect import SCORE_STEPS
from churn.campaigns.report import make_report
from churn.clock import now
from churn.config.params import ProfitParams
from churn.errors import StoreError
from churn.store.contacts.records import Contact
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from monitoring.exporter.campaigns import MAX_AGE, CampaignMetrics

CUSTOMERS, HELD_OUT = 120, 30


def run_campaign(store: Store, name: str, at: datetime, *, left: int, left_held_out: int, leaked: int = 0) -> None:
    """Name everybody, hold 30 of 120 out, contact the others; the first of each side leave."""
    store.write_predictions(
        [
            Prediction(f"{name}-{n}", f"{name}-{n}", at, "1", 0.6, 0.5, churn=True, features={}, held_out=n < HELD_OUT)
            for n in range(CUSTOMERS)
        ]
    )
    store.write_contacts([Contact(at, customer_id=f"{name}-{n}", campaign=name) for n in range(HELD_OUT - leaked, CUSTOMERS)])
    gone = {*range(left_held_out), *range(HELD_OUT, HELD_OUT + left)}
    store.write_outcomes([Outcome(n in gone, at + timedelta(days=1), f"{name}-{n}") for n in range(CUSTOMERS - 10)])


def told(metrics: CampaignMetrics, store: Store) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value for family in metrics.collect(store) for sample in family.samples
    }


def test_it_says_what_the_report_says(store: Store) -> None:
    at = now() - timedelta(days=40)
    run_campaign(store, "may", at, left=20, left_held_out=15, leaked=2)
    found = told(CampaignMetrics(wait_seconds=30), store)
    counts = store.count_campaign("may", SCORE_STEPS)
    assert counts is not None
    report = make_report("may", counts, ProfitParams())
    assert report.effect is not None
    groups = ("meant", "contacted", "held_out", "leaked", "waiting")
    assert [found["churn_campaign_customers", "may", group] for group in groups] == [
        *(report.named, report.contacted, report.held_out, report.leaked, report.waiting)
    ]
    assert (report.leaked, report.waiting) == (2, 10)
    saved = report.effect.saved
    assert [found["churn_campaign_saved", "may", b] for b in ("estimate", "low", "high")] == [saved.value, saved.low, saved.high]
    assert found["churn_campaign_effective_sample_size", "may"] == pytest.approx(HELD_OUT)
    assert found["churn_campaign_last_contact_timestamp_seconds", "may"] == at.timestamp()
    assert found["churn_campaign_measured_timestamp_seconds", "may"] == pytest.approx(now().timestamp(), abs=60)


def test_outcomes_of_young_predictions_do_not_count(store: Store) -> None:
    run_campaign(store, "may", now() - timedelta(days=40), left=20, left_held_out=15)
    found = told(CampaignMetrics(wait_seconds=30, label_maturity_seconds=41 * 86_400.0), store)
    assert found["churn_campaign_customers", "may", "waiting"] == CUSTOMERS
    assert not [key for key in found if key[0] == "churn_campaign_saved"]


def test_nothing_is_claimed_where_nothing_can_be_known(store: Store) -> None:
    store.write_contacts([Contact(now(), customer_id="stranger", campaign="may")])
    found = told(CampaignMetrics(wait_seconds=30), store)
    assert found["churn_campaign_customers", "may", "held_out"] == 0
    assert found["churn_campaign_effective_sample_size", "may"] == 0
    assert not [key for key in found if key[0] == "churn_campaign_saved"]


def test_campaigns_of_long_ago_are_not_counted(store: Store) -> None:
    store.write_contacts([Contact(now() - MAX_AGE - timedelta(days=1), customer_id="c", campaign="may")])
    assert not told(CampaignMetrics(wait_seconds=30), store)


def test_it_is_counted_now_and_then_and_not_at_each_scrape(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_campaign(store, "may", now() - timedelta(days=40), left=20, left_held_out=15)
    seldom, always = CampaignMetrics(wait_seconds=30), CampaignMetrics(pause_seconds=0, wait_seconds=30)
    monkeypatch.setattr("monitoring.exporter.campaigns.PAUSE_FACTOR", 0.0)
    before = told(seldom, store), told(always, store)
    run_campaign(store, "june", now() - timedelta(days=40), left=5, left_held_out=15)
    assert told(seldom, store) == before[0]
    assert ("churn_campaign_saved", "june", "low") in told(always, store)


def test_a_scrape_does_not_wait_for_a_long_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_campaign(store, "may", now() - timedelta(days=40), left=20, left_held_out=15)
    goes_on, count = threading.Event(), store.count_campaign

    def slow(campaign: str, steps: int, *, mature_until: datetime) -> object:
        assert goes_on.wait(60)
        return count(campaign, steps, mature_until=mature_until)

    monkeypatch.setattr(store, "count_campaign", slow)
    metrics = CampaignMetrics(wait_seconds=0)
    assert not told(metrics, store)
    assert not told(metrics, store)  # and no second thread counts meanwhile
    assert sum(thread.name == "campaigns" for thread in threading.enumerate()) == 1
    goes_on.set()
    metrics.wait(60)
    assert ("churn_campaign_saved", "may", "low") in told(metrics, store)


def test_what_was_known_stays_while_a_campaign_cannot_be_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_campaign(store, "may", now() - timedelta(days=40), left=20, left_held_out=15)
    monkeypatch.setattr("monitoring.exporter.campaigns.PAUSE_FACTOR", 0.0)
    metrics = CampaignMetrics(pause_seconds=0, wait_seconds=30)
    before = told(metrics, store)

    def fail(campaign: str, steps: int, *, mature_until: datetime) -> object:
        raise StoreError("canceling statement due to statement timeout")

    monkeypatch.setattr(store, "count_campaign", fail)
    assert told(metrics, store) == before
