from __future__ import annotations

from typing import Any

import pytest

from churn.contract import Check, Column, Contract
from churn.errors import InputError
from churn.simulation.marginals import Levels, Normal, Share
from churn.simulation.population import generic_marginal, read_population, relations

COLUMNS = (
    Column(name="minutes", source="Minutes", kind="number", minimum=0, maximum=600),
    Column(name="charge", source="Charge", kind="number", minimum=0),
    Column(name="calls", source="Calls", kind="integer", maximum=60),
    Column(name="free", source="Free", kind="integer"),
    Column(name="plan", source="Plan", kind="flag"),
    Column(name="state", source="State", kind="category", levels=("OH", "KS")),
)
CHECK = Check(column="charge", equals="minutes", times=0.5, tolerance=0.01)
GOOD: dict[str, Any] = {"columns": {"minutes": {"mean": 100, "sd": 10}}, "churn": {"base_rate": 0.1}}


def contract(population: dict[str, Any] | None = None, checks: tuple[Check, ...] = (CHECK,)) -> Contract:
    return Contract(name="small", columns=COLUMNS, checks=checks, population=population)


def refused(columns: dict[str, Any] | None = None, churn: dict[str, Any] | None = None) -> str:
    population = {"columns": GOOD["columns"] | (columns or {}), "churn": GOOD["churn"] | (churn or {})}
    with pytest.raises(InputError) as caught:
        read_population(contract(population))
    assert str(caught.value).startswith("contract 'small': population")
    return str(caught.value).removeprefix("contract 'small': population").lstrip(".: ")


@pytest.mark.parametrize(
    ("column", "marginal"),
    [
        (COLUMNS[0], Normal(mean=300, sd=100, decimals=2)),
        (COLUMNS[1], Normal(mean=30, sd=10, decimals=2)),
        (COLUMNS[2], Normal(mean=30, sd=10, decimals=0)),
        (COLUMNS[3], Normal(mean=0, sd=10, decimals=0)),
        (Column(name="x", source="X", kind="number"), Normal(mean=0, sd=1, decimals=2)),
        (COLUMNS[4], Share(share=0.5)),
        (COLUMNS[5], Levels(levels={"OH": 1.0, "KS": 1.0})),
    ],
)
def test_a_column_without_a_distribution_gets_one_from_its_bounds(column: Column, marginal: object) -> None:
    assert generic_marginal(column) == marginal


def test_without_a_population_there_is_a_generic_one_with_something_to_learn() -> None:
    found = read_population(contract())
    assert set(found.columns) == {"minutes", "calls", "free", "plan", "state"}
    effects = {name: (effect.per_unit, effect.centre) for name, effect in found.churn.effects.items()}
    assert effects == {"minutes": (0.01, 300), "calls": (-0.08, 30), "free": (0.06, 0)}
    assert (found.churn.base_rate, found.churn.rules) == (0.15, {})


def test_what_is_declared_is_taken_and_the_rest_filled_in() -> None:
    found = read_population(contract(GOOD))
    assert found.columns["minutes"] == Normal(mean=100, sd=10)
    assert found.columns["plan"] == Share(share=0.5)
    assert "charge" not in found.columns
    assert found.churn.base_rate == 0.1


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"x": {"share": 1}}, "columns.x: the contract has no such feature"),
        ({"charge": {"mean": 1, "sd": 1}}, "columns.charge: follows from a check and must not have values of its own"),
        ({"plan": {"mean": 1, "sd": 1}}, "columns.plan: does not suit a column of kind 'flag'"),
        ({"minutes": {"counts": [1, 1]}}, "columns.minutes: does not suit a column of kind 'number'"),
        ({"state": {"levels": {"OH": 1, "TX": 1}}}, "columns.state: unknown level 'TX'"),
        ({"calls": {"mean": 1, "sd": 1, "plus": {"plan": 1}}}, "columns.calls: plus must name declared flags"),
        ({"calls": {"counts": [1], "only_with": "x"}}, "columns.calls: only_with must name a declared number or flag"),
        ({"calls": {"counts": [1], "only_with": "state"}, "state": {"levels": {"OH": 1}}}, "columns.calls: only_with must name"),
        (
            {"calls": {"counts": [1], "only_with": "free"}, "free": {"counts": [1], "only_with": "minutes"}},
            "columns.calls: only_with",
        ),
        ({"calls": {"counts": [0, 0]}}, "columns.calls: at least one weight must be above 0"),
        ({"calls": {}}, "columns.calls: needs one of mean, counts, share, levels"),
    ],
)
def test_a_column_that_does_not_suit_the_contract_is_named(columns: dict[str, Any], problem: str) -> None:
    assert refused(columns).startswith(problem)


def test_what_fits_is_accepted() -> None:
    columns = {
        "calls": {"mean": 1, "sd": 1, "plus": {"plan": 1}, "only_with": "minutes"},
        "plan": {"share": 0.2},
        "free": {"counts": [1, 2]},
    }
    found = read_population(contract(GOOD | {"columns": GOOD["columns"] | columns}))
    assert found.columns["plan"] == Share(share=0.2)


@pytest.mark.parametrize(
    ("churn", "problem"),
    [
        ({"effects": {"x": {"per_unit": 1}}}, "churn.effects.x: 'x' is neither a feature nor an index"),
        ({"effects": {"state": {"per_unit": 1}}}, "churn.effects.state: 'state' is not a number"),
        ({"indexes": {"i": {"state": 1}}}, "churn.indexes.i: 'state' is not a number"),
        (
            {"rules": {"r": {"probability": 1, "when": {"x": {"above": 1}}}}},
            "churn.rules.r: 'x' is neither a feature nor an index",
        ),
        (
            {"rules": {"r": {"probability": 1, "when": {"state": {"above": 1}}}}},
            "churn.rules.r: 'state': a category needs one_of",
        ),
        (
            {"rules": {"r": {"probability": 1, "when": {"plan": {"one_of": ["a"]}}}}},
            "churn.rules.r: 'plan': a category needs one_of",
        ),
    ],
)
def test_a_mechanism_that_does_not_suit_the_contract_is_named(churn: dict[str, Any], problem: str) -> None:
    assert refused(churn=churn).startswith(problem)


def test_columns_that_follow_from_each_other_have_a_beginning() -> None:
    assert relations(contract()) == {"charge": CHECK}
    back = Check(column="minutes", equals="charge", times=2, tolerance=0.01)
    with pytest.raises(InputError, match="'charge' follows from itself; it can't be simulated"):
        relations(contract(checks=(CHECK, back)))
    twice = Check(column="charge", equals="calls", times=2, tolerance=0.01)
    with pytest.raises(InputError, match="'charge' follows from two columns"):
        relations(contract(checks=(CHECK, twice)))
