"""A CSV file says the same whether pyarrow reads its lines at once or Python's reader cell by cell."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from churn.batch.plan import Terms, make_plan
from churn.batch.readers import csv_reader
from churn.batch.readers.reader import open_part
from churn.contract import load_contract
from churn.customers.customer import request_model
from churn.customers.validation import CustomerRules
from churn.data import csv_chunks
from churn.data.csv_chunks import Irregular
from churn.errors import ContractError

CONTRACT = load_contract()
RULES = CustomerRules(CONTRACT, request_model(CONTRACT))
TERMS = Terms(allow_absent=True)
HEADER = "customer_id,State,note,Total day minutes,International plan,Total day calls"


def read(path: Path) -> Any:
    """What a file says: ids and values of the rows that are kept, the numbers and problems of those that are not."""
    (part,) = make_plan(path, "digest", TERMS).parts
    rows: list[Any] = []
    try:
        with open_part(part, RULES, TERMS) as reading:
            for fetched in reading.pieces:
                piece = fetched()
                refused: dict[int, Any] = {}

                def refuse(row: int, error: Any, refused: dict[int, Any] = refused) -> bool:
                    refused[row] = error and str(error)
                    return True

                columns = RULES.examine(piece.table, refuse)
                ids = piece.ids.to_pylist() if piece.ids is not None else [None] * piece.table.rows
                values = np.array(list(columns.values.values()))
                for row in range(piece.table.rows):
                    rows.append(
                        (piece.number(row), refused[row])
                        if row in refused
                        else (piece.number(row), ids[row], *map(repr, values[:, row]))
                    )
    except (ContractError, csv.Error, UnicodeDecodeError) as error:
        return type(error), str(error)
    return rows


def cell_by_cell(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(csv_reader, "chunks", lambda file, line, separator: iter([Irregular(file.tell(), line)]))
        return read(path)


numbers = st.sampled_from(
    ["", "1", "12.5", "-3", "+4", "007", "1e2", "inf", "-nan", "nan", "NA", " 7 ", "x", "1e999", ".5", "1.", "99999999", "0x1"]
)
fields = st.one_of(
    numbers,
    st.sampled_from(["KS", "OH", " KS", "yes", "No", "c-1", "415.0", "None", '"KS"', '"a,b"', '"a""b"', '""', "yes "]),
    st.text(st.sampled_from(["a", '"', ",", "\n", "\r", "é", "\0", " ", "٣"]), max_size=3),
)
lines = st.lists(st.lists(fields, min_size=6, max_size=6).map(",".join), max_size=8)


@given(lines, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(20, 90), st.sampled_from(",;\t|"))
@example(["c-1,KS,,1,yes,1", "", 'c-2,KS,"a,b",-nan,yes,1', "c-3,KS,,inf,yes,1.5"], "\n", True, 40, ";")
@example(['c-1,KS,"a', 'b",1,yes,1', "c-2,XX,,1,yes,1"], "\n", True, 40, ",")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_read_at_once_say_what_they_say_cell_by_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, some: list[str], end: str, ended: bool, size: int, mark: str
) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(end.join([HEADER, *some, *([""] if ended else [])]).replace(",", mark).encode())
    with monkeypatch.context() as patched:
        patched.setattr(csv_chunks, "CHUNK_BYTES", size)
        found = read(path)
    assert found == cell_by_cell(path, monkeypatch)


def test_regular_lines_are_not_read_cell_by_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quoted, with gaps, empty lines, a mark of the byte order, a number that only the rule can read: all at once."""
    path = tmp_path / "customers.csv"
    rows = ['"c-1","KS","a ""b"", c",12.5,yes,3', "", ",,,NA,,", "c-3,OH,,+7,no,x"]
    path.write_bytes("\r\n".join(["\ufeff" + HEADER, *rows]).encode())
    expected = cell_by_cell(path, monkeypatch)
    assert [row[0] for row in expected] == [2, 4, 5]
    monkeypatch.setattr(csv_reader._Reader, "_from_rows", None)
    assert read(path) == expected
    path.write_text(path.read_text("utf-8").replace(",", ";"), "utf-8")
    assert [row[0] for row in read(path)] == [2, 4, 5]


@pytest.mark.parametrize("text", ['a"b,1\n', ' "a",1\n', '"a"b,1\n', '"a\nb",1\n', '"a,1\n', "a\rb,1\n", "a,1\r"])
def test_what_is_not_certainly_a_row_a_line_is_irregular(text: str, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes(b"head\nx,1\n" + text.encode())
    with path.open("rb") as file:
        file.readline()
        found = list(csv_chunks.chunks(file, 2))
    assert isinstance(found[-1], Irregular)
    assert b"".join(one.text for one in found[:-1] if not isinstance(one, Irregular)) in (b"", b"x,1\n")


def test_chunks_are_the_file_and_know_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes("".join(f'{row},"{row}"\n' for row in range(500)).encode() + b"last,1")
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", 100)
    with path.open("rb") as file:
        found = [one for one in csv_chunks.chunks(file, 7) if not isinstance(one, Irregular)]
    assert b"".join(one.text for one in found) == path.read_bytes()
    assert len(found) > 40
    assert [row for one in found for row, _ in one.rows()] == list(range(7, 508))


def test_a_row_without_end_is_left_to_pythons_reader_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes(b"x" * 1_000)
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", 100)
    monkeypatch.setattr(csv_chunks, "MAX_ROW_BYTES", 300)
    with path.open("rb") as file:
        assert list(csv_chunks.chunks(file, 1)) == [Irregular(0, 1)]
        assert file.tell() <= 500
