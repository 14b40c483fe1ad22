"""The list of a campaign: the same cells in every format, ranked from 1 over all pieces, and no formula in it."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.campaigns.call_list import Call, columns, csv_header, write_list

PLAIN = [
    Call.of("c-1", 0.123456789, 200.004, 22.506, ["state is NJ: raises the risk", "day minutes, many"]),
    Call.of("=1+1", 0.5, 100.0, -0.0, ["@SUM(A1)"]),
    Call.of('a "quoted", name', 0.25, 1.0, 0.5, []),
]
WITH_SEGMENTS = [Call.of(f"c-{n}", 0.5, 1.0, 1.0, ["why"], "=high" if n else "typical") for n in range(3)]


def pieces(calls: list[Call]) -> list[list[Call]]:
    return [calls[:2], [], calls[2:]]


def test_what_is_written_is_rounded() -> None:
    first = PLAIN[0]
    assert (first.churn_probability, first.value, first.expected_gain) == (0.123457, 200.0, 22.51)
    assert first.reasons == "state is NJ: raises the risk; day minutes, many"


@pytest.mark.parametrize(("calls", "segment"), [(PLAIN, False), (WITH_SEGMENTS, True)])
def test_csv_and_parquet_hold_the_same(tmp_path: Path, calls: list[Call], segment: bool) -> None:
    write_list(tmp_path / "list.csv", ".csv", iter(pieces(calls)), segment=segment)
    write_list(tmp_path / "list.parquet", ".parquet", iter(pieces(calls)), segment=segment)
    table = pq.read_table(tmp_path / "list.parquet")
    assert tuple(table.column_names) == columns(segment=segment)
    expected = [
        {"rank": n, **{name: getattr(call, name) for name in columns(segment=segment)[1:]}} for n, call in enumerate(calls, 1)
    ]
    assert table.to_pylist() == expected
    assert not any(field.nullable for field in table.schema)
    assert {table.schema.field(name).type for name in ("churn_probability", "value", "expected_gain")} == {pa.float64()}
    with (tmp_path / "list.csv").open(newline="", encoding="utf-8") as file:
        text = file.read()
    assert text.startswith(csv_header(segment=segment))
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(calls)
    for row, one in zip(rows, expected, strict=True):
        for name, value in one.items():
            cell = row[name] if isinstance(value, str) else float(row[name])
            assert cell in (value, f"'{value}"), name


def test_no_text_is_a_formula_to_a_spreadsheet(tmp_path: Path) -> None:
    for name, calls, segment in (("plain", PLAIN, False), ("segments", WITH_SEGMENTS, True)):
        write_list(tmp_path / name, ".csv", iter(pieces(calls)), segment=segment)
        with (tmp_path / name).open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert [cell for cell in cells if cell.startswith(("=", "@"))] == []
        assert any(cell.startswith(("'=", "'@")) for cell in cells)


def test_an_empty_list_has_its_columns(tmp_path: Path) -> None:
    write_list(tmp_path / "list.parquet", ".parquet", iter([]), segment=True)
    assert tuple(pq.read_schema(tmp_path / "list.parquet").names) == columns(segment=True)
