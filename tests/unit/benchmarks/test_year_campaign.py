"""The year with campaigns, in short: what it counts as profit, as covered, and as reached."""

from __future__ import annotations

import pytest

from benchmarks.year.campaign import CAMPAIGN_STRATEGIES, FAIR_ORACLE, NO_CAMPAIGN, UNTOLD, campaign_profit, run_campaign_scenario
from benchmarks.year.campaign_tables import campaign_table, campaign_targets, covered
from benchmarks.year.fixture import Fixture
from benchmarks.year.results import Account, YearResult
from benchmarks.year.targets import compare
from benchmarks.year.training import Trainer, expected_profit
from benchmarks.year.year import ORACLE, OURS
from churn.contract import load_contract
from churn.simulation.treatment import Reaction, TreatedBase


def test_profit_is_that_of_the_year_without_campaigns_if_all_react_alike() -> None:
    trainer = Trainer(load_contract())
    month = Fixture.of("calm", 1, 600, trainer.contract).months[0]
    acceptance = trainer.params.profit.acceptance
    treated = TreatedBase(1, Reaction(acceptance=acceptance, spread=0.0)).contact(month, month.probability >= 0.3)
    expected = expected_profit(month.probability, month.probability, 0.3, trainer.params)
    assert campaign_profit(treated, trainer.params.profit) == pytest.approx(expected)


def test_the_same_scenario_is_lived_through_again() -> None:
    first, again = (
        run_campaign_scenario("calm", 1, 600, Trainer(load_contract()), names=(ORACLE,), months=3).accounts[ORACLE]
        for _ in range(2)
    )
    assert first == again
    assert len(first.profit) == 3
    assert min(first.profit) > 0


def test_a_tenth_held_out_costs_the_oracle_about_a_tenth() -> None:
    names = (ORACLE, FAIR_ORACLE)
    found = run_campaign_scenario("calm", 1, 2_000, Trainer(load_contract()), names=names, months=6).accounts
    assert 0.84 < sum(found[FAIR_ORACLE].profit) / sum(found[ORACLE].profit) < 0.96


def account(profit: float, clean: float, concept_alarms: list[int], saved: list[tuple[float, float, float, int]]) -> Account:
    return Account(
        [0.1] * 12, [profit] * 12, runs=[30, 61, 150], concept_alarms=concept_alarms, clean_log_loss=clean, saved=saved
    )


def test_what_is_asked_is_held_against_what_was_found() -> None:
    accounts = {name: account(5.0, 0.13, [30], []) for name in CAMPAIGN_STRATEGIES}
    accounts[OURS] = account(9.6, 0.1205, [], [(5.0, 1.0, 9.0, 4), (5.0, 1.0, 9.0, 10), (0.0, -1e9, 1e9, 3)])
    accounts |= {NO_CAMPAIGN: account(0.0, 0.12, [], [])} | {name: account(10.0, 0.1, [], []) for name in (ORACLE, FAIR_ORACLE)}
    calm = [YearResult("calm", 1, 1_000, None, accounts)]
    assert covered(calm) == (1, 3)
    reached = {target.asked: target.reached for target in compare(calm, campaign_targets)}
    assert [one for one in reached if not reached[one]] == ["intervals hold the truth ≥ 92%"]
    worse = accounts | {OURS: accounts[UNTOLD]}
    assert not any(target.reached for target in compare([YearResult("calm", 1, 1_000, None, worse)], campaign_targets))
    found = accounts | {OURS: account(9.6, 0.12, [150], []), NO_CAMPAIGN: account(0.0, 0.12, [150], [])}
    rise = [YearResult("price-rise", 1, 1_000, 4, found)]
    assert next(t for t in compare(rise, campaign_targets) if "found" in t.asked).reached
    for results in (calm, rise):
        assert campaign_table(results).row_count == len(CAMPAIGN_STRATEGIES)
