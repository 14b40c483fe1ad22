"""`churn model sql` on a model of the telecom contract: PostgreSQL and DuckDB answer what the service's columns answer."""

from __future__ import annotations

import csv
import io
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import psycopg
import pytest

from churn.contract import Contract, load_contract
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.inference.sql import model_sql
from churn.inference.terms import Ramp
from churn.inference.vectorized import probabilities
from churn.modeling.model import build_pipeline
from churn.simulation.simulate import simulate
from tests.integration.postgres import Server

CONTRACT = load_contract()
ROWS = pytest.mark.parametrize("rows", [5_000, pytest.param(100_000, marks=pytest.mark.long)])
TYPES = {"number": "DOUBLE PRECISION", "integer": "DOUBLE PRECISION", "flag": "TEXT", "category": "TEXT"}


@pytest.fixture(scope="module", params=[0.2, 0.0], ids=["some terms of every kind", "more terms than an expression may nest"])
def model(request: pytest.FixtureRequest) -> CompiledModel:
    data = simulate(CONTRACT, 1_500, seed=3)
    pipeline = build_pipeline(3, form="terms", contract=CONTRACT)
    pipeline.set_params(features__strictness=request.param)
    compiled = compile_pipeline(pipeline.fit(data.features, data.outcome), CONTRACT.feature_names, CONTRACT)
    assert compiled is not None
    return compiled


def customers_of(rows: int) -> pd.DataFrame:
    """Customers with a tenth of all numbers missing, some at their bounds and some beyond: those are refused."""
    rng, frame = np.random.default_rng(5), simulate(CONTRACT, rows, seed=4).features
    for column in CONTRACT.features:
        if column.kind in ("number", "integer"):
            at = rng.choice(rows, 60, replace=False)
            frame.loc[at, column.name] = np.resize([column.minimum or 0.0, column.maximum or 1e12, 0.0, -1.0, 1e101, 1e300], 60)
            frame[column.name] = frame[column.name].mask(rng.random(rows) < 0.1)
    return frame


def expected(model: CompiledModel, frame: pd.DataFrame) -> np.ndarray:
    """The compiled model's own answers, shape (rows,); NaN for whom the contract refuses."""
    columns: dict[str, Any] = {}
    refused = np.zeros(len(frame), np.bool_)
    for column in CONTRACT.features:
        if column.kind == "category":
            columns[column.name] = pd.Categorical(frame[column.name], categories=list(column.levels)).codes.astype(np.int32)
            continue
        columns[column.name] = values = frame[column.name].to_numpy(np.float64)
        low, high = (-np.inf if column.minimum is None else column.minimum), (column.maximum or 1e100)
        refused |= (values < low) | (values > high)
    return np.where(refused, np.nan, probabilities(model, columns))


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Flags as the contract spells them."""
    flags = {column.name: column for column in CONTRACT.features if column.kind == "flag"}
    spelled = {name: frame[name].map({1.0: flag.true_level, 0.0: flag.false_level}) for name, flag in flags.items()}
    return frame.assign(**spelled).assign(customer_id=[str(row) for row in range(len(frame))])


def check(rows: list[tuple[Any, ...]], wanted: np.ndarray) -> None:
    found = np.full(len(wanted), -1.0)
    for customer, probability, churn, _, _ in rows:
        found[int(customer)] = np.nan if probability is None else probability
        assert churn is (None if probability is None else probability >= 0.5)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
    assert 100 < np.isnan(wanted).sum() < len(wanted) / 2


@ROWS
def test_duckdb(model: CompiledModel, rows: int) -> None:
    customers = customers_of(rows)
    with duckdb.connect() as warehouse:
        warehouse.register("customers", as_texts(customers))
        statement = model_sql(model, CONTRACT, threshold=0.5, version="1", dialect="duckdb")
        check(warehouse.execute(statement).fetchall(), expected(model, customers))


@ROWS
def test_postgresql(model: CompiledModel, rows: int, postgres: Server) -> None:
    customers = customers_of(rows)
    frame = as_texts(customers)
    columns = ", ".join(f'"{column.name}" {TYPES[column.kind]}' for column in CONTRACT.features)
    names = [*CONTRACT.feature_names, "customer_id"]
    text = io.StringIO()
    frame[names].to_csv(text, index=False, header=False, quoting=csv.QUOTE_MINIMAL)
    with (
        postgres.database() as url,
        psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), connect_timeout=10) as connection,
    ):
        connection.execute(f"CREATE TABLE customers ({columns}, customer_id TEXT)")
        with connection.cursor().copy(f"COPY customers ({', '.join(names)}) FROM STDIN WITH (FORMAT csv)") as copy:
            copy.write(text.getvalue())
        statement = model_sql(model, CONTRACT, threshold=0.5, version="1", dialect="postgres")
        check(connection.execute(statement).fetchall(), expected(model, customers))


@pytest.mark.parametrize(
    ("key", "feature"), [("user", "select"), ("select", "user"), ("is_refused", "order"), ("two words", "group")]
)
def test_words_of_sql_are_columns_all_the_same(postgres: Server, key: str, feature: str) -> None:
    """PostgreSQL takes a bare `user` for whoever asks: every customer had the same key, and nothing was said."""
    contract = Contract.model_validate({"name": "x", "columns": [{"name": feature, "source": "X", "kind": "number"}]})
    model = CompiledModel((feature,), (feature,), {}, {}, {}, {feature: 2.0}, {}, (Ramp(0, 0, 9, 0.0, -1.0),), (), 0.0)
    table = f'CREATE TABLE customers ("{key}" TEXT, "{feature}" DOUBLE PRECISION)'
    rows = "INSERT INTO customers VALUES ('ada', 0)"
    wanted = [("ada", 0.5, True, 0.5, "1")]
    with duckdb.connect() as warehouse:
        warehouse.execute(table)
        warehouse.execute(rows)
        assert (
            warehouse.execute(model_sql(model, contract, threshold=0.5, version="1", keys=[key], dialect="duckdb")).fetchall()
            == wanted
        )
    with (
        postgres.database() as url,
        psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), connect_timeout=10) as connection,
    ):
        connection.execute(table)
        connection.execute(rows)
        assert connection.execute(model_sql(model, contract, threshold=0.5, version="1", keys=[key])).fetchall() == wanted
