"""Columns of Arrow and Parquet: each way to spell a value, each rule, and broken bodies."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.customers.columns import CustomerColumns
from service.formats.arrow_ipc import read_arrow
from service.formats.parquet import read_parquet
from service.formats.validation import ColumnRules
from service.http.errors import RequestProblem, TooLarge, Unprocessable

MAX_ROWS, MAX_BYTES = 1_000, 1_000_000
CUSTOMERS = [
    {
        "total_day_minutes": 265.1,
        "total_day_calls": 3,
        "international_plan": True,
        "area_code": 415,
        "state": "OH",
        "customer_id": "a",
    },
    {
        "total_day_minutes": None,
        "total_day_calls": 4,
        "international_plan": None,
        "area_code": None,
        "state": None,
        "customer_id": None,
    },
]
TABLE = pa.Table.from_pylist(CUSTOMERS)
Read = Callable[[bytes], CustomerColumns]


def stream(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def file(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def reader(kind: str, rules: ColumnRules) -> Read:
    if kind == "parquet":
        return lambda body: read_parquet(body, rules, MAX_ROWS, MAX_BYTES)
    return lambda body: read_arrow(body, rules, MAX_ROWS, MAX_BYTES, file=kind == "file")


WRITE = {"stream": stream, "file": file, "parquet": parquet}


@pytest.mark.parametrize("kind", WRITE)
def test_every_way_to_spell_a_value_means_the_same(kind: str, rules: ColumnRules) -> None:
    minutes, calls, _, _, state, ids = ([one[name] for one in CUSTOMERS] for name in TABLE.column_names)
    ways = [
        TABLE,
        pa.table(
            {
                "customer_id": pa.array(ids).dictionary_encode(),
                "total_day_minutes": pa.array([Decimal("265.1"), None]),
                "total_day_calls": pa.array([3.0, 4.0], pa.float32()),
                "international_plan": pa.array(["yes", None]),
                "area_code": pa.array([415.0, float("nan")]),
                "state": pa.array(state, pa.large_string()),
            }
        ),
        pa.table(
            {
                "total_day_minutes": pa.array(minutes),
                "total_day_calls": pa.array(calls, pa.uint8()),
                "international_plan": pa.array([1.0, float("nan")]),
                "area_code": pa.array(["415", None]).dictionary_encode(),
                "state": pa.chunked_array(
                    [pa.array(["OH"]).dictionary_encode(), pa.array([None], pa.string()).dictionary_encode()]
                ),
                "customer_id": pa.array(ids),
            }
        ),
    ]
    expected = {"total_day_minutes": [265.1, np.nan], "total_day_calls": [3, 4], "international_plan": [1, np.nan]}
    if kind == "file":
        ways = [table.unify_dictionaries() for table in ways]  # a file may hold no second dictionary
    for table in ways:
        got = reader(kind, rules)(WRITE[kind](table))
        for name, values in expected.items():
            np.testing.assert_array_equal(got.values[name], values)
        levels = {name: (*rules.contract[name].levels, None) for name in ("area_code", "state")}
        assert [levels["area_code"][code] for code in got.values["area_code"]] == ["415", None]
        assert [levels["state"][code] for code in got.values["state"]] == ["OH", None]
        assert list(got.customer_ids or []) == ["a", None]


@pytest.mark.parametrize("kind", WRITE)
@pytest.mark.parametrize(
    ("column", "field"),
    [
        ({"shoe_size": [1]}, "columns.shoe_size"),
        ({"state": [["OH"]]}, "columns.state"),
        ({"state": [{"x": {"y": {"z": 1}}}]}, "columns.state"),
        ({"state": [b"OH"]}, "columns.state"),
        ({"total_day_minutes": pa.array([1], pa.timestamp("s"))}, "columns.total_day_minutes"),
        ({"total_day_minutes": ["12 min"]}, "rows.0.total_day_minutes"),
        ({"total_day_minutes": [True]}, "rows.0.total_day_minutes"),
        ({"total_day_minutes": [float("inf")]}, "rows.0.total_day_minutes"),
        ({"total_day_minutes": [-1.0]}, "rows.0.total_day_minutes"),
        ({"total_day_calls": [1.5]}, "rows.0.total_day_calls"),
        ({"area_code": [True]}, "rows.0.area_code"),
        ({"area_code": [416]}, "rows.0.area_code"),
        ({"international_plan": [2]}, "rows.0.international_plan"),
        ({"account_length": [1], "customer_id": [17.5]}, "rows.0.customer_id"),
        ({"account_length": [1], "customer_id": ["a\nb"]}, "rows.0.customer_id"),
        ({"total_day_minutes": pa.array([None], pa.float64())}, "rows.0"),
        ({"state": pa.nulls(1)}, "rows.0"),
    ],
)
def test_what_breaks_a_rule_is_named(kind: str, rules: ColumnRules, column: dict[str, Any], field: str) -> None:
    with pytest.raises(Unprocessable) as error:
        reader(kind, rules)(WRITE[kind](pa.table(column)))
    assert [one.field for one in error.value.errors] == [field]


@pytest.mark.parametrize("kind", WRITE)
def test_a_column_that_is_there_twice_is_refused(kind: str, rules: ColumnRules) -> None:
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["total_day_minutes"] * 2)
    with pytest.raises(Unprocessable):
        reader(kind, rules)(WRITE[kind](twice))


@pytest.mark.parametrize("kind", WRITE)
def test_rows_over_the_limit_are_413_and_none_are_422(kind: str, rules: ColumnRules) -> None:
    def of(rows: int) -> Any:
        return pa.table({"total_day_minutes": pa.array(np.zeros(rows))})

    assert len(reader(kind, rules)(WRITE[kind](of(MAX_ROWS)))) == MAX_ROWS
    with pytest.raises(TooLarge):
        reader(kind, rules)(WRITE[kind](of(MAX_ROWS + 1)))
    with pytest.raises(Unprocessable):
        reader(kind, rules)(WRITE[kind](of(0)))


@pytest.mark.parametrize("kind", WRITE)
def test_dictionary_indices_out_of_range_are_refused(kind: str, rules: ColumnRules) -> None:
    indices = pa.array([0, 5], pa.int32())
    lying = pa.DictionaryArray.from_arrays(indices, pa.array(["OH"]), safe=False)
    if kind == "parquet":
        return  # its writer already refuses to lie
    with pytest.raises(Unprocessable):
        reader(kind, rules)(WRITE[kind](pa.table({"state": lying})))


@pytest.mark.parametrize("kind", WRITE)
def test_broken_bodies_are_problems_and_nothing_worse(kind: str, rules: ColumnRules) -> None:
    """Cut off at every place, and with bytes changed by chance."""
    whole = WRITE[kind](TABLE)
    read = reader(kind, rules)
    rng = random.Random(17)  # noqa: S311
    broken = [whole[:length] for length in range(0, len(whole), 7)]
    for _ in range(400):
        body = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 8])):
            body[rng.randrange(len(body))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        broken.append(bytes(body))
    refused = 0
    for body in broken:
        try:
            read(body)
        except RequestProblem:
            refused += 1
    assert refused > len(broken) / 4


def test_bodies_and_answers_import_no_pandas(tmp_path: Path) -> None:
    """It takes 57 MB and half a second, at somebody's first Arrow body."""
    table = pa.table(
        {"total_day_minutes": [1.0, 2.0], "state": ["OH", None], "customer_id": ["a", "b"], "total_day_calls": ["1", " 2"]}
    )
    pq.write_table(table, tmp_path / "parquet")
    with pa.ipc.new_stream(tmp_path / "stream", table.schema) as writer:
        writer.write_table(table)
    script = (
        "import sys, numpy as np; from pathlib import Path; from churn.contract import load_contract\n"
        "from churn.customers.customer import request_model\n"
        "from service.formats.arrow_ipc import arrow_answer, read_arrow\n"
        "from service.formats.parquet import parquet_answer, read_parquet\n"
        "from service.formats.validation import ColumnRules; from service.scoring.scored_batch import ScoredBatch\n"
        "contract = load_contract(); rules = ColumnRules(contract, request_model(contract)); folder = Path(sys.argv[1])\n"
        "for customers in (read_parquet((folder / 'parquet').read_bytes(), rules, 9, 2**20),\n"
        "                  read_arrow((folder / 'stream').read_bytes(), rules, 9, 2**20, file=False)):\n"
        "    batch = ScoredBatch(customers, ['1', '2'], np.array([0.1, 0.9]), np.array([False, True]), '1', 0.5, '',\n"
        "                        np.zeros(2, bool))\n"
        "    assert list(parquet_answer(batch)) and list(arrow_answer(batch, file=True))\n"
        "print('pandas' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("False\n", "")
