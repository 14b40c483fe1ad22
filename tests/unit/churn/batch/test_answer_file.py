"""The files of a part's answers: whole, or not there at all, and what an earlier run set apart is gone."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch.answer_file import REJECTED, Done, Stopped, read_done, whole_file, write_answers
from churn.batch.answers import REJECTED_SCHEMA, Answers
from churn.batch.plan import Part
from churn.errors import ChurnError

SCHEMA = pa.schema([("customer_id", pa.string()), ("churn_probability", pa.float64())])
PART = Part("/x/a.parquet", "a.parquet", "region=north/a.parquet", (0, 1), 0, 0, {}, 0, 0, "f1")


def answers(rows: int, churn: int, rejected: int = 0) -> Answers:
    batch = pa.RecordBatch.from_arrays([pa.array(["c"] * (rows - rejected)), pa.array([0.5] * (rows - rejected))], schema=SCHEMA)
    empty: Any = None
    apart = pa.RecordBatch.from_pylist([{}] * rejected, schema=REJECTED_SCHEMA) if rejected else empty
    return Answers(batch=batch, rows=rows, churn=churn, rejected=apart)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_came_of_a_part_is_counted_and_written_into_its_file(tmp_path: Path) -> None:
    done = write_answers(PART, SCHEMA, tmp_path, iter([answers(3, 1, 1), answers(4, 2, 2), answers(2, 0)]), Event())
    assert done == Done("f1", 9, 3, 3)
    assert done.scored == 6
    assert read_done(tmp_path / PART.output) == done
    assert files(tmp_path) == [f"{REJECTED}/{PART.output}", PART.output]
    assert pq.read_table(tmp_path / PART.output, partitioning=None).num_rows == 6
    assert pq.read_table(tmp_path / REJECTED / PART.output, partitioning=None).num_rows == 3
    again = write_answers(PART, SCHEMA, tmp_path, iter([answers(1, 1)]), None)
    assert (again, read_done(tmp_path / PART.output)) == (Done("f1", 1, 0, 1), again)
    assert files(tmp_path) == [PART.output], "nobody is set apart any more"


def test_a_part_that_is_given_up_is_not_there(tmp_path: Path) -> None:
    stop = Event()

    def coming() -> Any:
        yield answers(2, 1, 1)
        stop.set()
        yield answers(2, 1)

    with pytest.raises(Stopped):
        write_answers(PART, SCHEMA, tmp_path, coming(), stop)
    assert files(tmp_path) == []


def test_a_folder_that_is_gone_is_not_brought_back(tmp_path: Path) -> None:
    with pytest.raises(ChurnError, match="cannot be written"), whole_file(tmp_path / "gone/north/a", tmp_path / "gone"):
        pytest.fail("there is nowhere to write")
    assert not (tmp_path / "gone").exists()
    with whole_file(tmp_path / "b") as staging:
        staging.write_text("x")
        assert not (tmp_path / "b").exists()
    assert (tmp_path / "b").read_text() == "x"


def test_a_file_that_is_no_whole_one_says_nothing(tmp_path: Path) -> None:
    assert read_done(tmp_path / "none.parquet") is None
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    assert read_done(tmp_path / "torn.parquet") is None
    table = pa.table({"a": [1]})
    for said in (None, b"no json", b'{"fingerprint": "f"}'):
        pq.write_table(
            table.replace_schema_metadata(None if said is None else {b"churn.scored": said}), tmp_path / "other.parquet"
        )
        assert read_done(tmp_path / "other.parquet") is None
