"""Row groups of a Parquet file, in pieces: the rows of a part alone, numbered as people count, however texts are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch import pieces
from churn.batch.plan import Part, Terms
from churn.batch.readers import parquet_reader
from churn.batch.readers.parquet_reader import open_parquet
from churn.contract import load_contract
from churn.customers.customer import request_model
from churn.customers.validation import CustomerRules
from churn.errors import ContractError

CONTRACT = load_contract()
RULES = CustomerRules(CONTRACT, request_model(CONTRACT))
ABSENT = Terms(allow_absent=True)
ROWS = 10


def write(folder: Path, group_rows: int = 4, **columns: Any) -> str:
    given = {"total_day_minutes": [float(n) for n in range(ROWS)], "state": ["OH", "WV"] * (ROWS // 2), **columns}
    table = pa.table({name: cells for name, cells in given.items() if cells is not None})
    pq.write_table(table, folder / "a.parquet", row_group_size=group_rows)
    return str(folder / "a.parquet")


def part(path: str, groups: tuple[int, int] | None = (0, 3), first_row: int = 0, **keys: str | None) -> Part:
    return Part(path, "a.parquet", "a.parquet", groups, first_row, 0, keys, 0, 0)


def read(of: Part, terms: Terms = ABSENT) -> tuple[Any, list[tuple[int, Any, float, str | None]]]:
    """What a part says: the type of its ids, and of each row its number, id, minutes and state."""
    rows: list[tuple[int, Any, float, str | None]] = []
    levels = (*CONTRACT["state"].levels, None)
    with open_parquet(of, RULES, terms) as reading:
        for fetched in reading.pieces:
            piece = fetched()
            found = RULES.examine(piece.table, lambda row, error: pytest.fail(f"{row}: {error}"))
            ids = [None] * len(found) if piece.ids is None else piece.ids.to_pylist()
            states = [levels[code] for code in found.values["state"]]
            minutes = found.values["total_day_minutes"].tolist()
            rows += [(piece.number(n), *one) for n, one in enumerate(zip(ids, minutes, states, strict=True))]
    return reading.id_type, rows


@pytest.mark.parametrize("size", [1, 3, 100])
def test_only_its_own_row_groups_are_read_and_rows_are_counted_from_one(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_ROWS", size)
    path = write(tmp_path, customer_id=[f"c{n}" for n in range(ROWS)])
    kind, rows = read(part(path, (1, 3), 4))
    assert rows == [(n + 1, f"c{n}", float(n), ("OH", "WV")[n % 2]) for n in range(4, ROWS)]
    assert kind == pa.string()
    assert read(part(path, (2, 2), 8))[1] == []
    assert read(part(path, None))[1] == []


def test_numbers_stay_numbers_as_ids_and_nobody_is_named_without(tmp_path: Path) -> None:
    kind, rows = read(part(write(tmp_path, customer_id=list(range(ROWS)))))
    assert kind == pa.int64()
    assert [name for _, name, *_ in rows] == list(range(ROWS))
    assert read(part(write(tmp_path)))[0] is None


def test_what_a_folders_name_holds_counts_for_every_row(tmp_path: Path) -> None:
    kind, rows = read(part(write(tmp_path, state=None), (0, 1), state="NJ", customer_id="7"))
    assert rows == [(n + 1, "7", float(n), "NJ") for n in range(4)]
    assert kind == pa.string()
    _, rows = read(part(write(tmp_path, state=None), (0, 1), state=None, customer_id=None))
    assert [one[1::2] for one in rows] == [(None, None)] * 4
    assert read(part(write(tmp_path), (0, 1), state="NJ"))[1][0][3] == "OH", "the file's own column counts"
    with pytest.raises(ContractError, match="folder customer_id="):
        read(part(write(tmp_path), customer_id="x" * 1_000))


def test_columns_that_cannot_be_customers_are_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="must be numbers, booleans or texts, not list"):
        read(part(write(tmp_path, state=[["OH"]] * ROWS)))
    with pytest.raises(ContractError, match="column is missing"):
        read(part(write(tmp_path)), Terms())


def test_a_row_that_breaks_a_rule_is_asked_for_as_it_was_sent(tmp_path: Path) -> None:
    path = write(tmp_path, state=["OH"] * 9 + ["Ohio"], customer_id=[f"c{n}" for n in range(ROWS)])
    refused: list[tuple[int, str]] = []

    def refuse(row: int, error: Any) -> bool:
        refused.append((row, str(error)))
        return True

    with open_parquet(part(path, (2, 3), 8, international_plan="yes"), RULES, ABSENT) as reading:
        piece = next(reading.pieces)()
        RULES.examine(piece.table, refuse)
        sent = piece.table.record(1)
    assert [row for row, _ in refused] == [1]
    assert (sent["state"], sent["customer_id"], sent["total_day_minutes"]) == ("Ohio", "c9", 9.0)
    assert sent["international_plan"] is not None


@pytest.mark.parametrize("repeated", [True, False])
def test_ids_that_repeat_stay_a_dictionary(tmp_path: Path, repeated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[Any] = []
    opened = pq.ParquetFile

    def noted(path: str, **options: Any) -> Any:
        chosen.append(options)
        return opened(path, **options)

    monkeypatch.setattr(parquet_reader.pq, "ParquetFile", noted)
    many = 2_000
    ids = ["a" * 40 if repeated else f"{n:040}" for n in range(many)]
    path = write(tmp_path, many, customer_id=ids, total_day_minutes=np.arange(many) * 0.1, state=["OH"] * many)
    assert [name for _, name, *_ in read(part(path, (0, 1)))[1]] == ids
    assert chosen[1]["read_dictionary"] == (["state", "customer_id"] if repeated else ["state"])
    assert chosen[1]["buffer_size"] == 2**20
