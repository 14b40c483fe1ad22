"""Simulated customers keep the contract: bounds, checks between columns, and no second form of zero; what is lost is lost."""

from __future__ import annotations

import numpy as np
import pytest

from churn.contract import Contract, load_contract
from churn.simulation import customers as module
from churn.simulation.customers import draw_customers, where
from churn.simulation.draws import Seeded
from churn.simulation.population import read_population, relations
from churn.simulation.shift import Shift

ROWS = 2_000


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract("telecom")


def drawn(contract: Contract, shift: Shift | None = None, seed: int = 3) -> tuple[module.Customers, module.Customers]:
    return draw_customers(contract, read_population(contract), ROWS, Seeded(seed), shift or Shift())


def test_every_number_keeps_its_bounds_however_far_the_population_moves(contract: Contract) -> None:
    numbers = [one for one in contract.features if one.kind in ("number", "integer")]
    free = [one.name for one in numbers if one.name in read_population(contract).columns]
    for by in (-1e6, 1e6):
        true, _ = drawn(contract, Shift(move=dict.fromkeys(free, by)))
        for one in numbers:
            assert one.minimum is None or true[one.name].min() >= one.minimum, one.name
            assert one.maximum is None or true[one.name].max() <= one.maximum, one.name
            if one.kind == "integer":
                assert (true[one.name] == np.round(true[one.name])).all()
            assert not np.signbit(true[one.name][true[one.name] == 0]).any(), "-0.0 is no second zero"


def test_columns_that_follow_from_others_do_so_within_their_tolerance(contract: Contract) -> None:
    follows = relations(contract)
    assert follows
    for shift in (Shift(), Shift(move={check.equals: 1e6 for check in follows.values()})):
        true, _ = drawn(contract, shift)
        for name, check in follows.items():
            assert np.abs(true[name] - check.times * true[check.equals]).max() <= check.tolerance + 1e-9, name


@pytest.mark.parametrize(
    ("low", "high", "times", "bounds"),
    [(0.0, 10.0, 2.0, (0.0, 5.0)), (0.0, 10.0, 0.5, (0.0, 20.0)), (-4.0, 8.0, -2.0, (-4.0, 2.0)), (1.0, 10.0, 4.0, (0.25, 2.5))],
)
def test_a_column_stays_where_what_follows_from_it_keeps_its_bounds(
    contract: Contract, low: float, high: float, times: float, bounds: tuple[float, float]
) -> None:
    name, check = next(iter(relations(contract).items()))
    ends = {name: {"minimum": low, "maximum": high}, check.equals: {"minimum": None, "maximum": None}}
    columns = [one.model_copy(update=ends.get(one.name, {})) for one in contract.columns]
    checks = tuple(one.model_copy(update={"times": times}) if one == check else one for one in contract.checks)
    changed = contract.model_copy(update={"columns": tuple(columns), "checks": checks})
    assert module._bounds(changed)[check.equals] == bounds


def test_what_is_lost_is_written_down_as_missing_and_stays_true(contract: Contract) -> None:
    true, recorded = drawn(contract, Shift(missing={"total_day_minutes": 0.25, "state": 1.0}))
    lost = np.isnan(recorded["total_day_minutes"])
    assert 0.2 < lost.mean() < 0.3
    assert (recorded["total_day_minutes"][~lost] == true["total_day_minutes"][~lost]).all()
    assert not np.isnan(true["total_day_minutes"]).any()
    assert all(value is None for value in recorded["state"])
    assert (recorded["total_eve_minutes"] == true["total_eve_minutes"]).all()


def test_what_is_permuted_has_the_same_values_on_other_customers(contract: Contract) -> None:
    true, recorded = drawn(contract, Shift(permute=("total_day_minutes",)))
    assert sorted(recorded["total_day_minutes"]) == sorted(true["total_day_minutes"])
    assert (recorded["total_day_minutes"] != true["total_day_minutes"]).mean() > 0.9


@pytest.mark.parametrize(("tolerance", "decimals"), [(0.5, 0), (5.0, 0), (0.05, 1), (0.01, 2), (0.005, 2), (0.004, 3)])
def test_decimals_are_the_fewest_whose_rounding_stays_within_the_tolerance(tolerance: float, decimals: int) -> None:
    assert module._decimals_within(tolerance) == decimals
    assert 0.5 * 10.0**-decimals <= tolerance
    assert decimals == 0 or 0.5 * 10.0 ** (1 - decimals) > tolerance


def test_bills_are_rounded_half_up() -> None:
    assert module._round(np.array([0.125, 0.135, 1.005, 2.5, -0.125]), 2).tolist() == [0.13, 0.14, 1.01, 2.5, -0.12]


def test_customers_are_of_one_side_as_a_whole() -> None:
    there, here = ({"a": np.full(3, n), "b": np.full(3, 10 * n)} for n in (1, 2))
    mixed = where(np.array([True, False, True]), there, here)
    assert {name: values.tolist() for name, values in mixed.items()} == {"a": [1, 2, 1], "b": [10, 20, 10]}
