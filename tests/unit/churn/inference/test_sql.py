"""The model in SQL answers what the compiled model answers, in DuckDB; `tests/integration/test_model_sql.py` asks PostgreSQL."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.composed import decomposed
from churn.contract import Contract
from churn.customers.cell_rule import MISSING_LEVEL, CellRule
from churn.errors import InputError
from churn.inference.compiled import CompiledModel
from churn.inference.sql import model_sql
from churn.inference.terms import Condition, Ramp, WeighedRule
from churn.modeling.boosted.trees import grow_trees, leaf_rules

# Names, levels and numbers that a careless writer of SQL trips over.
SHOP = Contract.model_validate(
    {
        "name": "shop",
        "columns": [
            {"name": "order", "source": "Order", "kind": "number", "minimum": 0, "maximum": 50},
            {"name": "bill", "source": "Bill", "kind": "number"},
            {"name": "visits", "source": "Visits", "kind": "integer", "minimum": -3},
            {"name": "insured", "source": "Insured", "kind": "flag", "true_level": "Sí", "false_level": "Non", "nullable": True},
            {"name": "loyal", "source": "Loyal", "kind": "flag"},
            {
                "name": "plan",
                "source": "Plan",
                "kind": "category",
                "levels": ["it's", "?", "07", "415", "Zürich"],
                "nullable": True,
            },
        ],
    }
)
CELLS: dict[str, list[Any]] = {
    "order": [0.0, 7.5, 50.0, np.nextafter(50.0, 99.0), -1e-300, None, np.nan, np.inf, 1e-5],
    "bill": [-1e100, 1e101, 3.25, 0.1, -2.5e-7, None, np.nan, -np.inf, 1e300],
    "visits": [-3, 0, 4, -4, 2**40, None],
    "insured": ["Sí", decomposed("SÍ"), "non", "TRUE", "0", "1", " NON ", "maybe", "", None, "2", "1.00", "0.000", "100"],
    "loyal": [True, False, None],
    "plan": [
        "it's",
        "?",
        "07",
        "415",
        "415.0",
        "415.00",
        "410",
        "Zürich",
        decomposed("Zürich"),
        "7",
        " 07 ",
        "NA",
        "",
        None,
        "??",
        "'; drop table customers; --",
    ],
}
ORDER, BILL, VISITS, INSURED, LOYAL, SUM, ITS, SEVEN = range(8)
INPUTS = st.integers(0, 8)
BOUNDS = st.sampled_from([-np.inf, -1.0, -0.5, 0.0, 0.1, 0.5, 1.0, 3.25, 7.5, 50.0, np.inf])
WEIGHTS = st.floats(-3, 3)


def conditions() -> st.SearchStrategy[Condition]:
    return st.builds(lambda at, bounds: Condition(at, min(bounds), max(bounds)), INPUTS, st.tuples(BOUNDS, BOUNDS))


def models() -> st.SearchStrategy[CompiledModel]:
    ramps = st.builds(
        lambda at, bounds, weight, missing: Ramp(at, min(bounds), max(bounds), weight, missing),
        INPUTS,
        st.tuples(BOUNDS, BOUNDS).filter(lambda two: min(two) < np.inf and max(two) > -np.inf),
        WEIGHTS,
        st.floats(-9, 9),
    )
    rules = st.builds(lambda held, weight: WeighedRule(tuple(held), weight), st.lists(conditions(), max_size=3), WEIGHTS)
    return st.builds(
        model,
        st.lists(ramps, max_size=3),
        st.lists(rules, max_size=5),
        WEIGHTS,
        st.sampled_from(["07", None, "?", MISSING_LEVEL]),
    )


def model(ramps: list[Ramp], rules: list[WeighedRule], intercept: float, plan: str | None) -> CompiledModel:
    numbers = ("order", "bill", "visits", "insured", "loyal")
    return CompiledModel(
        columns=(*numbers, "plan"),
        numbers=numbers,
        sums={"order and bill": ("order", "bill")},
        levels={"plan": ("it's", "07", *[MISSING_LEVEL] * (plan == MISSING_LEVEL), "Zürich")},
        relations={"order": ("bill", 0.1)},
        typical={"order": 3.25, "bill": -1.0, "visits": 2.0, "insured": 1.0, "loyal": 0.0, "plan": plan or None},
        category_levels={"plan": ("it's", "?", "07", "415", "Zürich")},
        ramps=tuple(ramps),
        rules=tuple(rules),
        intercept=intercept,
    )


def customers(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    drawn = {name: [cells[at] for at in rng.integers(0, len(cells), rows)] for name, cells in CELLS.items()}
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in drawn.items()})
    return frame.assign(customer_id=[f"c{row:04d}" for row in range(rows)])


CUSTOMERS = customers(600)
TYPES = 'customer_id TEXT, "order" DOUBLE, bill DOUBLE, visits BIGINT, insured TEXT, loyal BOOLEAN, plan TEXT'


def values_of(row: Any) -> list[Any] | None:
    """The slow way: each cell by the one rule; None where it breaks one."""
    values: list[Any] = []
    for column in SHOP.features:
        cell = row[column.name]
        try:
            values.append(CellRule(column).read(None if isinstance(cell, float) and np.isnan(cell) else cell))
        except ValueError:
            return None
    return values


@pytest.fixture(scope="module")
def warehouse() -> Any:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE customers ({TYPES})")
        rows = CUSTOMERS[["customer_id", *CELLS]].astype(object).where(CUSTOMERS[["customer_id", *CELLS]].notna(), None)
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?, ?)", rows.to_numpy().tolist())
        # NaN is a number to a database.
        connection.execute("UPDATE customers SET bill = 'nan' WHERE bill = 3.25 AND visits = 4")
        yield connection


@pytest.fixture(scope="module")
def read(warehouse: Any) -> dict[str, list[Any] | None]:
    """What each customer of the warehouse says."""
    bills = dict(warehouse.execute("SELECT customer_id, bill FROM customers").fetchall())
    return {row["customer_id"]: values_of(row | {"bill": bills[row["customer_id"]]}) for row in CUSTOMERS.to_dict("records")}


@settings(max_examples=15)
@given(one=models())
def test_any_model_answers_in_sql_what_the_service_answers(
    warehouse: Any, read: dict[str, list[Any] | None], one: CompiledModel
) -> None:
    statement = model_sql(one, SHOP, threshold=0.5, version="7", dialect="duckdb")
    for name, probability, churn, threshold, version in warehouse.execute(statement).fetchall():
        assert (threshold, version) == (0.5, "7")
        values = read[name]
        if values is None:
            assert (probability, churn) == (None, None), name
        else:
            assert probability == pytest.approx(one.probability(values), abs=1e-9), values
            assert churn is (probability >= 0.5)


def test_boosted_trees_are_answered_in_sql_as_by_the_service(warehouse: Any, read: dict[str, list[Any] | None]) -> None:
    rng = np.random.default_rng(6)
    inputs = rng.normal(2, 3, size=(400, 8)).round(2)
    nodes = grow_trees(inputs, (inputs[:, 0] > inputs[:, 1]).astype(np.int64), trees=20, leaves=8, min_rows=10, seed=1)
    rules = [
        WeighedRule(tuple(Condition(column, low, high) for column, (low, high) in rule), value)
        for rule, value in leaf_rules(nodes)
    ]
    assert len(rules) > 80
    one = model([], rules, -1.0, "07")
    statement = model_sql(one, SHOP, threshold=0.5, version="7", dialect="duckdb")
    answered = 0
    for name, probability, *_ in warehouse.execute(statement).fetchall():
        values = read[name]
        if values is not None:
            answered += 1
            assert probability == pytest.approx(one.probability(values), abs=1e-9)
    assert answered > 50


def test_enough_is_answered_and_refused(read: dict[str, list[Any] | None]) -> None:
    refused = sum(values is None for values in read.values())
    assert len(read) == len(CUSTOMERS)
    assert 100 < refused < len(read) - 20


def test_the_result_has_the_keys_that_are_asked_for(warehouse: Any) -> None:
    plain = model([], [], 2.0, None)
    statement = model_sql(
        plain, SHOP, threshold=0.9, version="it's 3", table="main.customers", keys=["plan", "order"], dialect="duckdb"
    )
    found = warehouse.execute(statement)
    assert [column[0] for column in found.description] == [
        "plan", "order", "churn_probability", "churn", "threshold", "model_version",
    ]  # fmt: skip
    first = next(row for row in found.fetchall() if row[2] is not None)
    assert first[2:] == (pytest.approx(0.8807970779778823, abs=1e-15), False, 0.9, "it's 3")


@pytest.mark.parametrize(("intercept", "probability"), [(1e5, 1.0), (-1e5, 0.0), (0.0, 0.5)])
def test_log_odds_beyond_all_bounds_are_a_sure_answer(warehouse: Any, intercept: float, probability: float) -> None:
    statement = model_sql(model([], [], intercept, None), SHOP, threshold=0.5, version="1", dialect="duckdb")
    assert {row[1] for row in warehouse.execute(statement).fetchall()} == {None, probability}


@pytest.mark.parametrize("dialect", ["postgres", "duckdb", "bigquery", "snowflake", "redshift", "spark", "clickhouse", "mysql"])
def test_plain_names_are_not_quoted_for_they_would_be_others_in_a_warehouse_of_capitals(dialect: str) -> None:
    statement = model_sql(model([], [], 0.0, None), SHOP, threshold=0.5, version="1", dialect=dialect)
    assert "customer_id" in statement
    assert '"customer_id"' not in statement
    assert "`customer_id`" not in statement


@pytest.mark.parametrize(("table", "keys"), [("", []), (" ", []), ("base.", []), (".customers", []), ("customers", [""])])
def test_a_name_that_is_none_is_refused(table: str, keys: list[str]) -> None:
    with pytest.raises(InputError, match="--table and --key need a name"):
        model_sql(model([], [], 0.0, None), SHOP, threshold=0.5, version="1", table=table, keys=keys, dialect="duckdb")


def test_an_unknown_dialect_is_named() -> None:
    with pytest.raises(InputError, match=r"--dialect klingon is not known; for example: postgres"):
        model_sql(model([], [], 0.0, None), SHOP, threshold=0.5, version="1", dialect="klingon")
