from __future__ import annotations

import json
from dataclasses import replace
from math import inf

import numpy as np
import pytest

from churn.campaigns.effect import Effect, Interval
from churn.campaigns.report import CampaignReport, make_report
from churn.config.params import ProfitParams
from churn.errors import InputError
from churn.store.contacts.campaign_counter import CampaignCounts

PROFIT = ProfitParams()


def customers(*groups: tuple[int, int | None, bool, bool]) -> CampaignCounts:
    """Groups of so many, of whom so many left (None: not known yet); held out or not, contacted or not. All have one score."""
    known = [(many, left, held_out, contacted) for many, left, held_out, contacted in groups if left is not None]
    compared = known if any(called and not held for _, _, held, called in groups) else []

    def count(held_out: bool, contacted: bool | None = None) -> int:
        return sum(many for many, _, held, called in groups if held == held_out and contacted in (None, called))

    return CampaignCounts(
        named=count(False),
        held_out=count(True),
        contacted=count(False, True),
        leaked=count(True, True),
        waiting=sum(many for many, left, *_ in groups if left is None),
        not_named=0,
        elsewhere=0,
        beyond=0,
        treated=sum(many for many, _, _, called in known if called),
        treated_stayed=sum(many - left for many, left, _, called in known if called),
        customers=np.array([[sum(many for many, _, held, _ in compared if held == side)] for side in (False, True)]),
        left=np.array([[sum(left for _, left, held, _ in compared if held == side)] for side in (False, True)]),
        contacted_left=np.array([sum(left for _, left, held, called in compared if called and not held)]),
    )


def test_what_it_brought_is_counted_in_customers_and_money() -> None:
    found = make_report("may", customers((300, 60, False, True), (100, 20, False, False), (100, 40, True, False)), PROFIT)
    assert (found.named, found.contacted, found.held_out, found.leaked, found.waiting) == (400, 300, 100, 0, 0)
    assert found.effect is not None
    assert found.effect.saved.value == pytest.approx(80)
    assert found.effect.acceptance is not None
    # Of the contacted 60 left, and 80 would have: 20 of the 160 who left, or would have, were never contacted.
    assert found.effect.acceptance.value == pytest.approx(80 / 140)
    assert found.money is not None
    cost = 300 * PROFIT.cost_of_contact + 240 * PROFIT.cost_of_offer
    assert found.money.value == pytest.approx(80 * PROFIT.customer_value - cost)
    assert found.money.low < found.money.value < found.money.high
    assert found.break_even == pytest.approx(11 / (80 / 140 * 190 + 10))
    assert not found.unknown
    assert json.loads(json.dumps(found.to_document()))["effect"]["saved"]["value"] == pytest.approx(80)


def test_a_contacted_member_of_the_control_group_stays_in_it_and_is_told() -> None:
    found = make_report("may", customers((300, 60, False, True), (90, 36, True, False), (10, 2, True, True)), PROFIT)
    assert (found.held_out, found.leaked) == (100, 10)
    assert found.effect is not None
    assert (found.effect.held_out, found.effect.held_out_left) == (100, 38)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (customers(), "the model named nobody"),
        (customers((300, 60, False, True)), "nobody was held out: set CHURN_CONTROL_SHARE"),
        (customers((1, None, True, False), (1, None, False, True)), "no outcome counts yet"),
        (
            replace(customers((1, None, True, False), (1, None, False, True)), leavers_only=True),
            "of outcomes: they seem to be told of those who left only",
        ),
        (customers((1, None, True, False), (1, 1, False, True)), "outcomes are known of one side only"),
        (customers((1, 1, True, False), (1, 1, False, False)), "contacted nobody of those whom the model named"),
    ],
)
def test_what_cannot_be_known_is_not_told(given: CampaignCounts, words: str) -> None:
    found = make_report("may", given, PROFIT)
    assert (found.effect, found.money, found.break_even) == (None, None, None)
    assert words in found.unknown


def test_outcomes_with_other_scores_than_those_of_the_contacted_are_as_good_as_none() -> None:
    none = np.zeros((2, 0), np.int64)
    counts = replace(customers((2, 1, True, False), (2, 1, False, True)), customers=none, left=none, contacted_left=none[0])
    assert make_report("may", counts, PROFIT).unknown == (
        "no outcome is known yet of customers with the scores of those who were contacted"
    )


def report(acceptance: Interval | None, money: Interval | None = None, break_even: float | None = None) -> CampaignReport:
    effect = Effect(900, 100, 0, 0, Interval(80.0, -inf, 90.0), acceptance, 1, 0.95, 100.0)
    return CampaignReport("may", 900, 800, 100, 1, 2, 3, 4, 5, effect, money, break_even, "USD", "")


def test_figures_are_those_that_are_known_and_have_an_end() -> None:
    counts = {"named": 900, "contacted": 800, "held_out": 100, "leaked": 1, "waiting": 2, "not_named": 3, "other_campaigns": 4}
    known = counts | {"beyond": 5, "saved": 80.0, "saved_high": 90.0}
    assert report(None).metrics() == known
    acceptance = {"acceptance": 0.3, "acceptance_low": 0.1, "acceptance_high": 0.5}
    money = {"profit": 5.0, "profit_low": 4.0, "profit_high": 6.0, "break_even": 0.0}
    assert report(Interval(0.3, 0.1, 0.5), Interval(5.0, 4.0, 6.0), 0.0).metrics() == known | acceptance | money
    assert replace(report(None), effect=None).metrics() == counts | {"beyond": 5}


def test_the_acceptance_is_a_share_or_it_is_said_why_it_is_not_known() -> None:
    for value, said in ((0.12345, 0.123), (-0.2, 0.0), (1.2, 1.0)):
        assert report(Interval(value, 0.0, 1.0)).measured_acceptance() == said
    with pytest.raises(InputError, match="acceptance of campaign 'may' is not known: nobody of the control group left"):
        report(None).measured_acceptance()
    with pytest.raises(InputError, match="acceptance of campaign 'may' is not known: too early"):
        replace(report(None), effect=None, unknown="too early").measured_acceptance()


def test_the_acceptance_has_a_distribution_where_it_is_known_better_than_not_at_all() -> None:
    assert report(Interval(0.3, 0.1, 0.5)).acceptance_distribution() == (5.75, 13.417)
    wide = Interval(0.5, -0.48, 1.48)
    ends = Interval(0.0, 0.0, 0.1), Interval(1.0, 0.9, 1.0), Interval(0.5, -inf, 1.0), Interval(0.5, 0.5, 0.5)
    for nothing in (None, *ends, wide):
        assert report(nothing).acceptance_distribution() is None
    assert replace(report(None), effect=None).acceptance_distribution() is None
