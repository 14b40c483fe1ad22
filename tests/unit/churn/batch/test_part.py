"""One part: what is refused is never scored, with the service's verdict, and nothing half written stays."""

from __future__ import annotations

import csv
import gzip
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch import answer_file
from churn.batch import output as output_module
from churn.batch import part as part_module
from churn.batch import run as run_module
from churn.batch.plan import Terms, make_plan
from churn.errors import ChurnError, InputError
from service.http.errors import Unprocessable
from tests.integration.files_to_score import CONTRACT, customers, make_scorer, read_answers, write_folder
from tests.unit.churn.batch.scoring import changed, score, served

pytestmark = pytest.mark.usefixtures("small_pieces")


def test_csv_is_read_as_the_service_reads_it(tmp_path: Path) -> None:
    source, zipped = tmp_path / "in.csv", tmp_path / "in.csv.gz"
    table = customers(300)
    with source.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(["NA" if cell is None else cell for cell in row.values()] for row in table.to_pylist())
    zipped.write_bytes(gzip.compress(source.read_bytes()))
    score(source, tmp_path / "out")
    score(zipped, tmp_path / "zipped")
    answers = read_answers(tmp_path / "out")
    np.testing.assert_array_equal(answers.column("churn_probability").to_numpy(), served(source.read_bytes(), text=True))
    assert answers.equals(read_answers(tmp_path / "zipped"))


BROKEN = [
    ("total_day_minutes", -0.5, None),
    ("total_day_minutes", 44_640.5, None),
    ("total_day_minutes", float("inf"), None),
    ("customer_service_calls", 1.5, None),
    ("international_plan", 2.0, None),
    ("state", "Kansas", None),
    ("customer_id", "a\nb", None),
    ("customer_id", "a\x7f", None),
    ("customer_id", "x" * 129, None),
]


@pytest.mark.parametrize(("column", "value", "kind"), BROKEN)
def test_what_the_service_refuses_is_never_scored(column: str, value: Any, kind: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(changed(customers(300), column, {250: value}, kind), source, row_group_size=100)
    with pytest.raises(Unprocessable):
        served(source.read_bytes())
    with pytest.raises(InputError, match=rf"in\.parquet: row 251, column '{column}'"):
        score(source, tmp_path / "out")
    assert not (tmp_path / "out" / "_SUCCESS").exists()

    summary = score(source, tmp_path / "out", Terms(invalid="skip"))
    assert (summary.rows, summary.rejected, summary.scored) == (300, 1, 299)
    answers = read_answers(tmp_path / "out").column("customer_id").to_pylist()
    assert answers == [f"c-1-{row}" for row in range(300) if row != 250]
    (rejected,) = [row for file in (tmp_path / "out" / "_rejected").iterdir() for row in pq.read_table(file).to_pylist()]
    assert (rejected["file"], rejected["row"]) == ("in.parquet", 251)
    assert rejected["reason"].startswith(f"{column}: ")


def test_a_customer_of_whom_nothing_is_known_is_refused(tmp_path: Path) -> None:
    table = customers(10)
    for name in CONTRACT.feature_names:
        table = changed(table, name, {4: None})
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(InputError, match=r"row 5: empty customer"):
        score(tmp_path / "in.parquet", tmp_path / "out")


def test_csv_errors_name_the_line(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text('customer_id,total_day_minutes\n"a\nb",1\n\nc,x\n')
    allowed = Terms(allow_absent=True)
    with pytest.raises(InputError, match=r"in\.csv: row 2, column 'customer_id'"):
        score(source, tmp_path / "out", allowed)
    source.write_text('customer_id,total_day_minutes\n"a,b",1\n\nc,x\n')
    with pytest.raises(InputError, match=r"in\.csv: row 4, column 'total_day_minutes'"):
        score(source, tmp_path / "out", allowed)
    source.write_text("customer_id,total_day_minutes\na,1\nb\n")
    with pytest.raises(InputError, match=r"row 3: must have 2 fields"):
        score(source, tmp_path / "out", allowed)
    source.write_text("customer_id;total_day_minutes|state\na;1|KS\n")
    with pytest.raises(InputError, match="separated by semicolons"):
        score(source, tmp_path / "out", allowed)
    source.write_bytes(b"customer_id,total_day_minutes\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="not readable"):
        score(source, tmp_path / "out", allowed)
    assert not (tmp_path / "out").exists()


def test_a_feature_without_a_column_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    pq.write_table(customers(10).drop_columns(["total_day_minutes"]), tmp_path / "in.parquet")
    with pytest.raises(InputError, match=r"column 'total_day_minutes': column is missing"):
        score(tmp_path / "in.parquet", tmp_path / "out")
    score(tmp_path / "in.parquet", tmp_path / "out", Terms(allow_absent=True))
    answers = read_answers(tmp_path / "out").column("churn_probability").to_numpy()
    np.testing.assert_array_equal(answers, served((tmp_path / "in.parquet").read_bytes()))
    wrong = customers(10)
    pq.write_table(wrong.set_column(0, "customer_id", pa.array([1.5] * 10)), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="must be a text or a whole number"):
        score(tmp_path / "in.parquet", tmp_path / "out", overwrite=True)
    pq.write_table(wrong.set_column(0, "customer_id", pa.array(range(10))), tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "numbered")
    assert read_answers(tmp_path / "numbered").column("customer_id").to_pylist() == list(range(10))


def test_a_part_that_cannot_be_written_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(tmp_path / "in", parts=2, rows=50)

    class Full(pq.ParquetWriter):
        def write_batch(self, *_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(answer_file.pq, "ParquetWriter", Full)
    with pytest.raises(ChurnError, match="cannot be written") as error:
        score(source, tmp_path / "out")
    assert error.value.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_of_two_parts_that_fail_the_slower_one_ends_before_the_folder_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_folder(tmp_path / "in", parts=2, rows=50)
    both_write, run_gives_up = threading.Barrier(2), threading.Event()
    ended: list[Path] = []
    ended_before: list[int] = []
    attempt, leave = run_module.attempt, output_module._leave

    class Full(pq.ParquetWriter):
        def write_batch(self, *_: Any, **__: Any) -> None:
            if both_write.wait(60):
                # The other one fails at once, and this one when the run gives up for that.
                assert run_gives_up.wait(60)
            raise OSError(28, "No space left on device")

    class Pool(ThreadPoolExecutor):
        def shutdown(self, *given: Any, **named: Any) -> None:
            run_gives_up.set()
            super().shutdown(*given, **named)

    def attempted(scorer: Any, part: Any, *given: Any) -> Any:
        result = attempt(scorer, part, *given)
        ended.append(part.output)
        return result

    def left(folder: Path) -> None:
        ended_before.append(len(ended))
        leave(folder)
        run_gives_up.set()

    monkeypatch.setattr(answer_file.pq, "ParquetWriter", Full)
    monkeypatch.setattr(run_module, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(run_module, "attempt", attempted)
    monkeypatch.setattr(output_module, "_leave", left)
    with pytest.raises(ChurnError, match="cannot be written"):
        score(source, tmp_path / "out")
    assert ended_before == [2]
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_changed_under_way_is_not_scored(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "in", parts=1, rows=50)

    def change(*_: Any) -> None:
        os.utime(source / "part-000.parquet", ns=(0, 0))

    with pytest.raises(InputError, match="was changed while it was read, or since"):
        score(source, tmp_path / "out", on_plan=change)


@pytest.mark.parametrize("how", ["grows", "is replaced", "goes away"])
def test_a_file_that_changes_while_it_is_read_is_not_scored(tmp_path: Path, how: str) -> None:
    """Of an export that is still being written, half a base would be scored, or logged, and called the whole."""
    source = tmp_path / "in.csv"
    write_customers(source, 300)
    (part,) = make_plan(source, "digest", Terms()).parts
    with part_module.open_pieces(make_scorer(), part, Terms()) as (_, pieces):
        assert next(pieces)().table.rows
        if how == "grows":
            with source.open("a") as file:
                file.write(source.read_text().splitlines()[-1] + "\n")
        elif how == "is replaced":
            write_customers(tmp_path / "other.csv", 299)
            (tmp_path / "other.csv").replace(source)
        else:
            source.unlink()
        with pytest.raises(InputError, match=r"in\.csv: was changed while it was read"):
            list(pieces)


def write_customers(path: Path, rows: int) -> None:
    table = customers(rows)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(row.values() for row in table.to_pylist())


def test_other_code_on_a_worker_scores_nothing() -> None:
    found = part_module.score_part(b"", b"", {}, "", "other code")
    assert "another version" in found["error"]
