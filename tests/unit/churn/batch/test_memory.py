"""Scoring takes as much memory for many customers as for few, whatever is odd about their file: it is read and written in pieces.

What Python, NumPy and Arrow ask for is counted, not what the process has: so the figures are nearly the same in each run.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from churn.batch import joined, part, pieces
from churn.batch.model import Scorer
from churn.batch.ordered import in_order
from churn.batch.plan import Terms
from churn.batch.readers import csv_reader
from churn.batch.run import on_threads, score_folder
from churn.batch.single_file import score_file
from churn.data import csv_chunks
from tests.integration.files_to_score import customers, make_scorer

ROWS, FEW, MANY = 250, 3, 16
# Of what a file that is held whole would add, so much at most: pieces in work differ from run to run.
SHARE = 0.6


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_ROWS", 50)
    monkeypatch.setattr(csv_reader, "OBJECT_ROWS", 50)
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", 5_000)


def _plain(head: bytes, rows: bytes, times: int) -> bytes:
    return head + b"\n" + rows * times


def _one_odd_line(head: bytes, rows: bytes, times: int) -> bytes:
    # One that ends in another way: from here on Python's reader decides what a row is.
    return _plain(head, rows.replace(b"\n", b"\r", 1) + rows * (times - 1), 1)


def _quotes_needed(head: bytes, rows: bytes, times: int) -> bytes:
    return _plain(head, rows.replace(b'"c-', b'"c,'), times)


def _formulas(head: bytes, rows: bytes, times: int) -> bytes:
    return _plain(head, rows.replace(b'"c-', b'"=-'), times)


def _all_refused(head: bytes, rows: bytes, times: int) -> bytes:
    return _plain(head, rows.replace(b',"4', b',"9').replace(b',"5', b',"9'), times)


def _in_parquet(head: bytes, rows: bytes, times: int) -> bytes:
    table = pyarrow.csv.read_csv(pa.BufferReader(_plain(head, rows, times)))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=ROWS * FEW)
    return bytes(sink.getvalue())


CONTENTS = {
    "plain.csv": _plain,
    "one odd line.csv": _one_odd_line,
    "quotes needed.csv": _quotes_needed,
    "formulas.csv": _formulas,
    "all refused.csv": _all_refused,
    "in.parquet": _in_parquet,
}


CASES = [
    *(("plain.csv", output) for output in ("answers", "answers.csv", "answers.parquet")),
    ("one odd line.csv", "answers"),
    ("quotes needed.csv", "answers.csv"),
    ("formulas.csv", "answers.csv"),
    ("all refused.csv", "answers"),
    ("in.parquet", "answers"),
]


@pytest.mark.parametrize(("name", "output"), CASES)
def test_memory_does_not_grow_with_the_file(name: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = _count_arrow(monkeypatch)
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(customers(ROWS), sink)
    head, _, rows = bytes(sink.getvalue()).partition(b"\n")
    scorer = make_scorer()
    peaks = []
    # To say what is wrong with a customer takes a hundred times as long as to answer it.
    few, many = (2, 5) if name == "all refused.csv" else (FEW, MANY)
    for times in (1, few, many):  # what is made once is made by the first
        source = tmp_path / f"{times}-{name}"
        source.write_bytes(CONTENTS[name](head, rows, times))
        held.clear()
        peaks.append(_python_peak(scorer, source, tmp_path / f"{len(peaks)}-{output}", times) + max(held))
    assert peaks[2] - peaks[1] < SHARE * (many - few) * len(rows), peaks


def _count_arrow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give a list that gets what Arrow has in use whenever a piece is done."""
    held: list[int] = []

    def counting(*given: Any) -> Generator[Any]:
        with closing(in_order(*given)) as results:
            for result in results:
                held.append(pa.total_allocated_bytes())
                yield result

    for module in (part, joined):
        monkeypatch.setattr(module, "in_order", counting)
    return held


def _python_peak(scorer: Scorer, source: Path, output: Path, times: int) -> int:
    tracemalloc.start()
    try:
        into = score_file if output.suffix else score_folder
        assert into(scorer, source, output, Terms(invalid="skip"), on_threads(2)).rows == ROWS * times
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
