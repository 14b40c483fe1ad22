from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from churn.campaigns.report import make_report
from churn.config.params import ProfitParams
from churn.store.contacts.campaign_reader import CampaignCustomers, Flagged

AT = datetime(2026, 3, 1, tzinfo=UTC)
PROFIT = ProfitParams()


def customers(*groups: tuple[int, int, bool, bool]) -> CampaignCustomers:
    """Groups of so many, of whom so many left; held out or not, contacted or not."""
    flagged = [
        Flagged(f"{group}-{n}", 0.5, held_out, contacted, n < left)
        for group, (many, left, held_out, contacted) in enumerate(groups)
        for n in range(many)
    ]
    return CampaignCustomers(AT, AT, flagged, not_flagged=0, other_campaigns=0)


def test_what_it_brought_is_counted_in_customers_and_money() -> None:
    found = make_report("may", customers((300, 60, False, True), (100, 20, False, False), (100, 40, True, False)), PROFIT)
    assert (found.named, found.contacted, found.held_out, found.leaked, found.waiting) == (400, 300, 100, 0, 0)
    assert found.effect is not None
    assert found.effect.saved.value == pytest.approx(80)
    assert found.effect.acceptance is not None
    assert found.effect.acceptance.value == pytest.approx(0.5)
    assert found.money is not None
    cost = 300 * PROFIT.cost_of_contact + 240 * PROFIT.cost_of_offer
    assert found.money.value == pytest.approx(80 * PROFIT.customer_value - cost)
    assert found.money.low < found.money.value < found.money.high
    assert found.break_even == pytest.approx(11 / (0.5 * 190 + 10))
    assert not found.unknown
    assert json.loads(json.dumps(found.to_document()))["effect"]["saved"]["value"] == pytest.approx(80)


def test_a_contacted_member_of_the_control_group_stays_in_it_and_is_told() -> None:
    found = make_report("may", customers((300, 60, False, True), (90, 36, True, False), (10, 2, True, True)), PROFIT)
    assert (found.held_out, found.leaked) == (100, 10)
    assert found.effect is not None
    assert (found.effect.held_out, found.effect.held_out_left) == (100, 38)


def two(held_out_churned: bool | None, contacted_churned: bool | None) -> CampaignCustomers:
    flagged = [Flagged("a", 0.5, True, False, held_out_churned), Flagged("b", 0.5, False, True, contacted_churned)]
    return CampaignCustomers(AT, AT, flagged, 0, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (customers(), "the model named nobody"),
        (customers((300, 60, False, True)), "nobody was held out: set CHURN_CONTROL_SHARE"),
        (two(None, None), "no outcome is known yet"),
        (two(None, True), "outcomes are known of one side only"),
    ],
)
def test_what_cannot_be_known_is_not_told(given: CampaignCustomers, words: str) -> None:
    found = make_report("may", given, PROFIT)
    assert (found.effect, found.money, found.break_even) == (None, None, None)
    assert words in found.unknown
