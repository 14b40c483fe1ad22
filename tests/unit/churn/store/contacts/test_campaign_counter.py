"""Counting in the database says what reading row by row says, of whatever campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import pytest

from churn.campaigns.effect import SCORE_STEPS, estimate_effect
from churn.store.contacts.records import Contact
from churn.store.records import EPOCH, NO_LIMIT, Outcome
from churn.store.store import Store
from tests.unit.churn.campaigns.counted import by_score
from tests.unit.churn.store.contacts.row_by_row import CampaignCustomers, read_campaign
from tests.unit.churn.store.rows import NOON, OBSERVED, prediction


def fill(store: Store, seed: int) -> None:
    """Some are named twice or by nobody, some contacts are wrong or of another campaign, some outcomes are missing."""
    rng = np.random.default_rng(seed)
    rows, share = 300, rng.choice([0.0, 0.1, 0.5])
    held_out = rng.random(200) < share
    who = rng.integers(0, 200, rows)
    store.write_predictions(
        [
            prediction(
                n,
                customer_id=f"c{who[n]}" if rng.random() < 0.95 else None,
                requested_at=NOON + timedelta(seconds=float(rng.integers(0, 5_000))),
                churn_probability=float(rng.random()),
                churn=bool(rng.random() < 0.7),
                held_out=bool(held_out[who[n]]),
            )
            for n in range(rows)
        ]
    )
    store.write_outcomes([Outcome(bool(rng.random() < 0.4), OBSERVED, f"p{n}") for n in range(rows) if rng.random() < 0.8])
    for name in ("may", "june"):
        chosen = rng.choice(205, 40, replace=False)
        times = rng.integers(1_000, 6_000, 40)
        store.write_contacts(
            [
                Contact(NOON + timedelta(seconds=float(at)), customer_id=f"c{c}", campaign=name)
                for c, at in zip(chosen, times, strict=True)
            ]
        )


@pytest.mark.parametrize("seed", range(6))
def test_it_counts_what_is_read_row_by_row(store: Store, seed: int) -> None:
    fill(store, seed)
    read, counted = read_campaign(store, "may"), store.count_campaign("may", SCORE_STEPS)
    assert isinstance(read, CampaignCustomers)
    assert counted is not None
    assert (counted.not_named, counted.elsewhere) == (read.not_flagged, read.other_campaigns)
    treated = [one for one in read.flagged if one.contacted and one.churned is not None]
    assert (counted.treated, counted.treated_stayed) == (len(treated), sum(not one.churned for one in treated))
    flagged = read.flagged
    assert flagged
    known = [one for one in flagged if one.churned is not None]
    expected = (
        sum(not one.held_out for one in flagged),
        sum(one.held_out for one in flagged),
        sum(one.contacted and not one.held_out for one in flagged),
        sum(one.contacted and one.held_out for one in flagged),
        len(flagged) - len(known),
    )
    assert (counted.named, counted.held_out, counted.contacted, counted.leaked, counted.waiting) == expected
    chosen = [round(SCORE_STEPS * one.score) for one in flagged if one.contacted and not one.held_out]
    within = [one for one in flagged if min(chosen) <= round(SCORE_STEPS * one.score) <= max(chosen)]
    assert counted.beyond == len(flagged) - len(within) > 0
    known = [one for one in within if one.churned is not None]
    churned, held_out = (np.array([getattr(one, of) for one in known], dtype=bool) for of in ("churned", "held_out"))
    effect = estimate_effect(*by_score(churned, held_out, np.array([one.score for one in known])))
    assert estimate_effect(counted.customers, counted.left) == effect
    assert (effect is None) == (not held_out.any())


def test_of_strangers_nothing_is_counted(store: Store) -> None:
    fill(store, 0)
    store.write_contacts([Contact(NOON, customer_id="stranger", campaign="july")])
    counted = store.count_campaign("july", SCORE_STEPS)
    assert counted is not None
    assert (counted.named, counted.held_out, counted.waiting, counted.not_named) == (0, 0, 0, 1)
    assert estimate_effect(counted.customers, counted.left) is None
    assert store.count_campaign("no such campaign", SCORE_STEPS) is None


def test_a_budget_is_judged_by_the_scores_that_it_reached_and_two_campaigns_by_their_own(store: Store) -> None:
    """Of a hundred named the best thirty are called by one campaign, the next thirty by another; every tenth is held out."""
    held_out = [n % 10 == 0 for n in range(100)]
    store.write_predictions(
        [prediction(n, churn_probability=1 - n / 200, churn=True, held_out=held_out[n], requested_at=NOON) for n in range(100)]
    )
    # Only the first campaign keeps customers: all of them.
    store.write_outcomes([Outcome(held_out[n] or n >= 30, OBSERVED, f"p{n}") for n in range(100)])
    for name, reached in (("may", range(30)), ("june", range(30, 60))):
        store.write_contacts([Contact(NOON, customer_id=f"c{n}", campaign=name) for n in reached if not held_out[n]])
    effects = {}
    for name in ("may", "june"):
        counted = store.count_campaign(name, SCORE_STEPS)
        assert counted is not None
        assert (counted.named, counted.held_out, counted.contacted, counted.beyond) == (90, 10, 27, 100 - 29)
        effects[name] = estimate_effect(counted.customers, counted.left, counted.contacted_left)
    may, june = effects["may"], effects["june"]
    assert may is not None
    assert june is not None
    assert may.acceptance is not None
    assert june.acceptance is not None
    assert (may.saved.value, may.acceptance.value, june.saved.value, june.acceptance.value) == (27, 1, 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_parts_add_up_to_the_whole(store: Store, seed: int) -> None:
    fill(store, seed)
    whole = store.count_campaign("may", SCORE_STEPS)
    assert whole is not None
    (one,) = store.count_campaign_parts("may", SCORE_STEPS, lambda customers: ["all"] * len(customers)).values()
    assert np.array_equal(one.customers, whole.customers)
    assert np.array_equal(one.left, whole.left)
    assert np.array_equal(one.contacted_left, whole.contacted_left)
    same = ("named", "held_out", "contacted", "leaked", "waiting", "elsewhere", "beyond", "treated", "treated_stayed")
    assert [getattr(one, name) for name in same] == [getattr(whole, name) for name in same]
    assert one.not_named == 0
    given: list[object] = []

    def dealt(customers: Sequence[Mapping[str, object]]) -> list[str]:
        given.extend(customers)
        return [f"part {at % 3}" for at in range(len(customers))]

    parts = store.count_campaign_parts("may", SCORE_STEPS, dealt)
    assert set(parts) == {"part 0", "part 1", "part 2"}
    assert len(given) == whole.named + whole.held_out
    assert all(isinstance(features, dict) and features for features in given)
    for name in same:
        assert sum(getattr(part, name) for part in parts.values()) == getattr(whole, name), name
    assert sum(part.customers.sum(axis=1) for part in parts.values()).tolist() == whole.customers.sum(axis=1).tolist()
    assert store.campaign_versions("may") == ["1"]
    assert store.campaign_versions("nobody's") == []
    assert store.count_campaign_parts("nobody's", SCORE_STEPS, dealt) == {}


DAY = timedelta(days=1)


def half_leave(store: Store, told: set[int], asked: int = 400) -> list[bool]:
    """Name 400, hold every fourth out, contact the others; half would leave, and every third of those who are contacted stays."""
    at = [NOON + n // (400 // 4) * DAY for n in range(asked)]
    store.write_predictions(
        [prediction(n, churn_probability=0.5, churn=True, held_out=n % 4 == 0, requested_at=at[n]) for n in range(asked)]
    )
    store.write_contacts([Contact(at[n], customer_id=f"c{n}", campaign="may") for n in range(asked) if n % 4])
    left = [n // 4 % 2 == 0 and (n % 4 == 0 or n // 8 % 3 > 0) for n in range(asked)]
    store.write_outcomes([Outcome(left[n], at[n] + DAY, f"p{n}") for n in range(asked) if left[n] or n in told])
    return left


def test_early_leavers_do_not_say_that_nobody_was_saved(store: Store) -> None:
    """Those who left are known; who stayed is known of the first day alone."""
    half_leave(store, set(range(100)))
    known = {}
    for until in (NO_LIMIT, NOON):
        counted = store.count_campaign("may", SCORE_STEPS, mature_until=until)
        (part,) = store.count_campaign_parts("may", SCORE_STEPS, lambda c: ["all"] * len(c), mature_until=until).values()
        assert counted is not None
        assert (part.customers.tolist(), part.left.tolist()) == (counted.customers.tolist(), counted.left.tolist())
        assert (counted.named, counted.held_out, counted.leavers_only) == (300, 100, False)
        effect = estimate_effect(counted.customers, counted.left)
        assert effect is not None
        assert effect.acceptance is not None
        known[until] = counted.waiting, effect.acceptance.value
    assert known[NOON][0] == 300
    assert known[NOON][1] == pytest.approx(1 / 3, abs=0.06)
    assert known[NO_LIMIT][1] < 0.2, "at once, it looks as if fewer were saved"
    none = store.count_campaign("may", SCORE_STEPS, mature_until=EPOCH)
    assert none is not None
    assert (none.waiting, none.customers.size) == (400, 0)


@pytest.mark.parametrize(("told", "alone"), [(set(range(0, 400, 50)), True), (set(range(0, 400, 2)), False)])
def test_of_a_campaign_of_which_leavers_alone_are_told_nothing_is_said(store: Store, told: set[int], *, alone: bool) -> None:
    left = half_leave(store, told)
    until = NOON + 30 * DAY
    counted = store.count_campaign("may", SCORE_STEPS, mature_until=until)
    parts = store.count_campaign_parts("may", SCORE_STEPS, lambda c: [str(len(one)) for one in c], mature_until=until)
    assert counted is not None
    assert {one.leavers_only for one in (counted, *parts.values())} == {alone}
    unknown = 400 - sum(gone or n in told for n, gone in enumerate(left))
    assert (counted.waiting, counted.customers.size == 0) == (400 if alone else unknown, alone)
    at_once = store.count_campaign("may", SCORE_STEPS)
    assert at_once is not None
    assert (at_once.waiting, at_once.leavers_only) == (unknown, False), "nobody asked for a whole cohort"
