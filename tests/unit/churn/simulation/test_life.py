from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from churn.contract import Contract, load_contract
from churn.errors import InputError
from churn.simulation.life import Month, Pace, live
from churn.simulation.scenario import Event, MonthlyScenario, telecom_scenarios
from churn.simulation.shift import Drift, Extra, Shift
from churn.simulation.simulate import simulate

NUMBERS = ["total_day_minutes", "total_day_charge", "total_intl_calls", "customer_service_calls", "number_vmail_messages"]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract()


@pytest.fixture(scope="module")
def calm(contract: Contract) -> list[Month]:
    return list(live(contract, 4_000, 24, seed=5))


def column(month: Month, name: str) -> pd.Series:
    return month.customers.features[name]


def test_marginals_after_two_years_are_those_of_the_population(contract: Contract, calm: list[Month]) -> None:
    fresh = simulate(contract, 4_000, seed=99).features
    for name in NUMBERS:
        assert stats.ks_2samp(column(calm[-1], name), fresh[name]).pvalue > 1e-3, name
    for name in ("state", "area_code", "international_plan", "voice_mail_plan"):
        table = pd.crosstab(
            np.repeat([0, 1], 4_000), pd.concat([column(calm[-1], name), fresh[name]], ignore_index=True).to_numpy()
        )
        assert stats.chi2_contingency(table).pvalue > 1e-3, name
    assert calm[-1].customers.labelled.mean() == pytest.approx(0.145, abs=0.02)


def test_who_leaves_leaves_as_probably_as_said(calm: list[Month]) -> None:
    for month in calm[::6]:
        left, said = month.customers.labelled.to_numpy(), month.probability
        assert abs(left.sum() - said.sum()) < 4 * np.sqrt((said * (1 - said)).sum()) + 1


def test_usage_moves_a_little_and_plans_seldom(calm: list[Month]) -> None:
    first, second, last = calm[0], calm[1], calm[-1]
    assert np.corrcoef(column(first, "total_day_minutes"), column(second, "total_day_minutes"))[0, 1] == pytest.approx(
        0.8, abs=0.03
    )
    assert abs(np.corrcoef(column(first, "total_day_minutes"), column(last, "total_day_minutes"))[0, 1]) < 0.06
    assert 0 < (column(first, "state") != column(second, "state")).mean() < 0.02
    assert 0 < (column(first, "international_plan") != column(second, "international_plan")).mean() < 0.01


def test_relations_are_kept_in_each_month(calm: list[Month]) -> None:
    for month in calm[::8]:
        difference = column(month, "total_day_charge") - 0.17 * column(month, "total_day_minutes")
        assert difference.abs().max() <= 0.01 + 1e-9


def test_a_leaver_is_followed_by_somebody_new_and_a_stayer_stays(calm: list[Month]) -> None:
    seen: set[str] = set()
    for before, after in itertools.pairwise(calm):
        ids, following = before.customers.customer_id, after.customers.customer_id
        assert ids is not None
        assert following is not None
        left = before.customers.labelled.to_numpy() == 1
        assert (ids[~left] == following[~left]).all()
        assert (ids[left] != following[left]).all()
        seen |= set(ids[left])
        assert not seen & set(following), "somebody who left is back"
        assert following.is_unique


def test_leavers_are_known_before_stayers(contract: Contract) -> None:
    (month,) = live(contract, 2_000, 1, seed=5, pace=Pace(leaver_days=(2, 9), stayer_days=40))
    left = month.customers.labelled.to_numpy() == 1
    assert set(month.known_after[left]) == set(range(2, 10))
    assert set(month.known_after[~left]) == {40}


def same(one: Month, other: Month) -> bool:
    return (
        one.customers.digest == other.customers.digest
        and np.array_equal(one.probability, other.probability)
        and np.array_equal(one.known_after, other.known_after)
    )


def test_the_same_seed_gives_the_same_months_however_many(contract: Contract) -> None:
    three, five = list(live(contract, 300, 3, seed=1)), list(live(contract, 300, 5, seed=1))
    assert all(same(one, other) for one, other in zip(three, five, strict=False))
    assert not same(three[0], next(live(contract, 300, 1, seed=2)))
    assert not same(three[0], three[1])


@pytest.mark.parametrize("name", list(telecom_scenarios()))
def test_a_scenario_differs_from_a_calm_one_only_while_something_acts(contract: Contract, name: str) -> None:
    scenario = telecom_scenarios(0)[name]
    acts = {month for event in scenario.events for month in range(13) if event.reach(month) > 0}
    if scenario.season.scale:
        acts = set(range(13)) - {2, 8}  # A quarter of a year beside the peak of month 11: the cosine is 0 but for rounding.
    months = zip(live(contract, 1_000, 13, seed=3), live(contract, 1_000, 13, seed=3, scenario=scenario), strict=True)
    differing = {calm.number for calm, other in months if not same(calm, other)}
    assert differing == acts


def test_an_event_spreads_and_whom_it_reached_it_keeps(contract: Contract) -> None:
    raised = Shift(extra={"customer_service_calls": Extra(share=1, by=5)})
    scenario = MonthlyScenario(events=(Event(name="crisis", start=1, end=5, months_to_reach_all=3, shift=raised),))
    months = zip(live(contract, 4_000, 6, seed=3), live(contract, 4_000, 6, seed=3, scenario=scenario), strict=True)
    reached = [
        (column(there, "customer_service_calls") > column(calm, "customer_service_calls")).to_numpy() for calm, there in months
    ]
    assert [round(float(who.mean()), 1) for who in reached] == [0.0, 0.2, 0.5, 0.8, 1.0, 0.0]
    assert all((later | ~earlier).all() for earlier, later in itertools.pairwise(reached[:5]))


def test_two_events_of_one_month_both_act(contract: Contract) -> None:
    fewer = Event(name="fewer minutes", start=0, shift=Shift(scale={"total_day_minutes": 0.5}))
    plan = Event(name="no plan", start=0, months_to_reach_all=1, shift=Shift(share={"voice_mail_plan": 0.0}))
    (calm,) = live(contract, 2_000, 1, seed=3)
    (both,) = live(contract, 2_000, 1, seed=3, scenario=MonthlyScenario(events=(fewer, plan)))
    assert column(both, "total_day_minutes").mean() == pytest.approx(column(calm, "total_day_minutes").mean() / 2, rel=0.01)
    assert column(both, "voice_mail_plan").mean() == pytest.approx(column(calm, "voice_mail_plan").mean() / 2, rel=0.15)


def test_an_upstream_fault_changes_the_record_not_the_customers(contract: Contract) -> None:
    fault = Event(name="fault", start=0, shift=Shift(missing={"total_day_minutes": 0.3}))
    calm, there = (
        next(live(contract, 2_000, 1, seed=3, scenario=scenario))
        for scenario in (MonthlyScenario(), MonthlyScenario(events=(fault,)))
    )
    assert column(there, "total_day_minutes").isna().mean() == pytest.approx(0.3, abs=0.04)
    np.testing.assert_array_equal(there.probability, calm.probability)


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        (MonthlyScenario(events=(Event(name="x", start=0, shift=Shift(share={"nobody": 0.5})),)), "nobody"),
        (
            MonthlyScenario(events=(Event(name="lost rule", start=0, drift=Drift(probability={"nobody": 0.5})),)),
            "no rule 'nobody'",
        ),
        (
            MonthlyScenario(
                events=tuple(
                    Event(name=name, start=0, shift=Shift(extra={"customer_service_calls": Extra(share=0.5, by=1)}))
                    for name in "ab"
                )
            ),
            "same number",
        ),
    ],
)
def test_a_scenario_that_does_not_fit_is_refused(contract: Contract, scenario: MonthlyScenario, words: str) -> None:
    with pytest.raises(InputError, match=words):
        list(live(contract, 10, 1, seed=1, scenario=scenario))


@pytest.mark.parametrize(("customers", "months", "seed"), [(0, 1, 1), (1, 0, 1), (1, 1, -1)])
def test_sizes_out_of_range_are_refused(contract: Contract, customers: int, months: int, seed: int) -> None:
    with pytest.raises(InputError, match="at least 1 customer, 1 month and a seed of at least 0"):
        live(contract, customers, months, seed)


def test_days_out_of_order_are_refused(contract: Contract) -> None:
    with pytest.raises(InputError, match="leaver_days"):
        live(contract, 1, 1, 1, pace=Pace(leaver_days=(9, 2)))
