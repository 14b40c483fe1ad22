from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import InputError
from pipelines.demo.customers import (
    CALM_WINDOWS,
    MIN_TRAINING,
    MIXED_WINDOWS,
    PLAN,
    PLAN_IN_WINDOW,
    WINDOW,
    deal_out,
    population,
    shorten,
)

WITH_PLAN = MIXED_WINDOWS * PLAN_IN_WINDOW
WITHOUT = CALM_WINDOWS * WINDOW + MIXED_WINDOWS * (WINDOW - PLAN_IN_WINDOW) + MIN_TRAINING


@pytest.fixture(scope="module")
def everybody(contract: Contract) -> Dataset:
    return population(contract, None, seed=1)


def customers(with_plan: int, without: int) -> Dataset:
    plan = np.array([1.0] * with_plan + [0.0] * without)
    return Dataset(pd.DataFrame({PLAN: plan}), pd.Series(np.zeros(len(plan), dtype=np.int64)), source="few.csv")


def ids(dataset: Dataset) -> list[str]:
    assert dataset.customer_id is not None
    return dataset.customer_id.tolist()


def test_nobody_is_met_twice(everybody: Dataset) -> None:
    cast = deal_out(everybody, seed=1)
    met = [customer for part in (cast.training, *cast.calm, *cast.mixed) for customer in ids(part)]
    assert len(met) == len(set(met)) <= len(everybody)


@pytest.mark.parametrize("simulated", [True, False])
def test_who_is_invented_stays_marked_as_invented(everybody: Dataset, simulated: bool) -> None:
    cast = deal_out(replace(everybody, simulated=simulated), seed=1)
    assert {part.simulated for part in (cast.training, *cast.calm, *cast.mixed)} == {simulated}


def test_the_plan_comes_with_the_mixed_windows_only(everybody: Dataset) -> None:
    cast = deal_out(everybody, seed=1)
    assert cast.training.features[PLAN].sum() == 0
    assert [part.features[PLAN].sum() for part in cast.calm] == [0] * CALM_WINDOWS
    assert [part.features[PLAN].sum() for part in cast.mixed] == [PLAN_IN_WINDOW] * MIXED_WINDOWS
    assert [len(part) for part in (*cast.calm, *cast.mixed)] == [WINDOW] * (CALM_WINDOWS + MIXED_WINDOWS)
    assert len(cast.training) >= MIN_TRAINING


def test_customers_with_the_plan_arrive_among_the_others(everybody: Dataset) -> None:
    arrival = np.flatnonzero(deal_out(everybody, seed=1).mixed[0].features[PLAN])
    assert arrival[0] < 20
    assert arrival[-1] > WINDOW - 20


def test_everybody_keeps_features_and_outcome(everybody: Dataset) -> None:
    for part in (cast := deal_out(everybody, seed=1)).calm + cast.mixed + [cast.training]:
        rows = [int(name.removeprefix("customer-")) for name in ids(part)]
        pd.testing.assert_frame_equal(part.features, everybody.features.iloc[rows].reset_index(drop=True))
        assert part.labelled.tolist() == everybody.labelled.iloc[rows].tolist()
        assert part.simulated


def test_the_same_seed_deals_out_the_same_customers(everybody: Dataset) -> None:
    first, same, other = (deal_out(everybody, seed=seed) for seed in (1, 1, 2))
    assert ids(first.mixed[0]) == ids(same.mixed[0])
    assert ids(first.mixed[0]) != ids(other.mixed[0])


@pytest.mark.parametrize(("with_plan", "without"), [(WITH_PLAN - 1, WITHOUT), (WITH_PLAN, WITHOUT - 1)])
def test_too_few_customers_are_an_input_error(with_plan: int, without: int) -> None:
    with pytest.raises(InputError, match=rf"few\.csv: the demo needs {WITH_PLAN} customers with the plan and {WITHOUT} without"):
        deal_out(customers(with_plan, without), seed=1)


def test_just_enough_customers_suffice() -> None:
    assert len(deal_out(customers(WITH_PLAN, WITHOUT), seed=1).training) == MIN_TRAINING


def test_real_customers_are_taken_as_they_are_and_missing_ones_invented(contract: Contract, everybody: Dataset) -> None:
    real = customers(1, 1)
    assert population(contract, real, seed=1) is real
    assert everybody.simulated
    deal_out(everybody, seed=1)


def test_a_contract_without_the_plan_has_no_demo() -> None:
    other = Dataset(pd.DataFrame({"tenure": [1.0, 2.0]}), pd.Series([0, 1]), source="other.csv")
    with pytest.raises(InputError, match="run it with CHURN_CONTRACT=telecom"):
        deal_out(other, 1)


def test_the_short_demo_launches_the_plan_in_one_window_of_twice_the_size(everybody: Dataset) -> None:
    cast = deal_out(everybody, seed=1)
    short = shorten(cast)
    launch, after = short.mixed
    assert (short.training, after) == (cast.training, cast.mixed[2])
    assert [ids(window) for window in short.calm] == [ids(cast.calm[0]) + ids(cast.calm[1])]
    assert ids(launch) == ids(cast.mixed[0]) + ids(cast.mixed[1])
    assert launch.features[PLAN].tolist() == [*cast.mixed[0].features[PLAN], *cast.mixed[1].features[PLAN]]
    assert launch.labelled.tolist() == [*cast.mixed[0].labelled, *cast.mixed[1].labelled]
    assert launch.features.index.tolist() == launch.labelled.index.tolist() == list(range(2 * WINDOW))
