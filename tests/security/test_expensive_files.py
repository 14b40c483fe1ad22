"""A small file costs little memory, whatever it says: `churn data validate`, `describe` and `describe --draft` (issue 18).

`churn score` reads in pieces: tests/integration/test_score_command.py and tests/unit/churn/batch.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.attacks.bodies.tables import LONG, repeated, views
from churn.contract import Contract
from churn.contract_draft.draft import draft_contract
from churn.data import csv_chunks, files
from churn.data.dataset import read_dataset
from churn.data.headers import find_columns
from churn.errors import ChurnError, InputError
from tests.security.cost_of_bodies import peak_bytes, start_anew

MEBIBYTE = 2**20
# As for a body (and pandas' and scikit-learn's imports are made before).
ROOM = 64 * MEBIBYTE
CASE = Path(__file__).parents[2].parent / "shared" / "cases" / "id_dictionary_bomb.parquet"


def parquet(name: str, column: Callable[[], Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        values = column()
        pq.write_table(pa.table({"Total day minutes": np.ones(len(values)), name: values}), path, compression="zstd")

    return write


def text(content: Callable[[], str]) -> Callable[[Path], None]:
    return lambda path: path.write_text(content()) and None


def zipped(piece: bytes, times: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with gzip.open(path, "wb", 1) as file:
            file.write(b"Total day minutes,State\n")
            for _ in range(times):
                file.write(piece)

    return write


# Each is made, megabytes of it, only where it is written.
FILES: dict[str, Callable[[Path], None]] = {
    "an id": parquet("Customer ID", lambda: repeated(LONG)),
    "a state": parquet("State", lambda: repeated(LONG)),
    "minutes": parquet("Total eve minutes", lambda: repeated("1" + "0" * 100_000)),
    "a column that nobody knows": parquet("Remark", lambda: repeated(LONG)),
    "bytes": parquet("State", lambda: repeated(pa.array([LONG.encode()]))),
    "texts in lists": parquet("State", lambda: pa.array([[LONG]]).take(pa.array(np.zeros(1_000, np.int8)))),
    "views": parquet("State", lambda: views(LONG, 1_000)),
    "bytes of one length": parquet("State", lambda: pa.array([LONG.encode()] * 500, pa.binary(len(LONG)))),
    "rows of nothing": parquet("State", lambda: pa.nulls(2_000_000, pa.string())),
    "a header of eight million names": text(lambda: "a," * 8_000_000 + "\n1"),
    "a header of a million names": text(lambda: ",".join(f"n{n}" for n in range(500_000)) + "\n1"),
    "a header without end": text(lambda: "a" * 40_000_000),
    "a quote without end": text(lambda: 'State,Churn\n"' + "x\n" * 10_000_000),
    "lines in gzip": zipped(b"\n" * MEBIBYTE, 40),
    "rows in gzip": zipped(b"1,OH\n" * 200_000, 40),
    "commas in gzip": zipped(b"," * MEBIBYTE, 40),
}


def every_way(path: Path, contract: Contract) -> None:
    # (The others read a file in the same way.)
    for read in (lambda: read_dataset(path, contract), lambda: draft_contract(path, "State")):
        with suppress(ChurnError):
            read()


# (What stays below a hundred times its size is read as if it were there.)
@pytest.mark.parametrize("name", [name for name in FILES if name != "rows in gzip"])
def test_what_repeats_in_a_few_bytes_costs_little_memory(
    tmp_path: Path, contract: Contract, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "UNPACKED_BYTES", 8 * MEBIBYTE)
    path = tmp_path / "file"
    FILES[name](path)
    before = start_anew()
    every_way(path, contract)
    assert peak_bytes() - before <= 10 * path.stat().st_size + ROOM


def test_the_case_that_was_reported(contract: Contract) -> None:
    if not CASE.is_file():
        pytest.skip("the cases lie in ../shared/cases, beside the checkout")
    before = start_anew()
    every_way(CASE, contract)
    assert peak_bytes() - before <= ROOM


def test_a_file_that_unpacks_to_more_than_any_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "UNPACKED_BYTES", MEBIBYTE)
    for name in ("lines in gzip", "rows in gzip", "rows of nothing"):
        path = tmp_path / name
        FILES[name](path)
        with pytest.raises(InputError, match="it unpacks to more than 100 times its size, as no table does"):
            files.read_tabular_file(path)


def test_as_many_columns_as_no_contract_has_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"n{n}" for n in range(csv_chunks.MAX_COLUMNS + 1)) + "\n")
    with pytest.raises(InputError, match="it has 10001 columns; 10000 are the most"):
        files.read_tabular_file(path)


class Counted(str):
    """A name that counts how often it is looked at."""

    looks = 0

    def strip(self, *given: Any) -> str:
        Counted.looks += 1
        return super().strip(*given)


def test_each_name_of_a_file_is_looked_at_once_and_not_once_a_column(contract: Contract) -> None:
    names = [Counted(f"n{number}") for number in range(1_000)]
    find_columns("file", names, contract, ())
    # Once here; and by the one who knows the contract's names, who suggests some to the first.
    assert Counted.looks <= 3 * len(names)
