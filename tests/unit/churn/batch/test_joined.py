"""Parts into one file: in their order, whole or not at all, and with no text that a spreadsheet would run."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch import joined
from churn.batch.joined import join
from churn.errors import ChurnError

FIRST, SECOND = ["anna", "=2+3", "-1", None], ['ben,"b"', "", "+49 30", "ü"]


def answers(ids: list[str | None]) -> Any:
    rows = len(ids)
    return pa.table(
        {
            "customer_id": pa.array(ids, pa.string()),
            "churn_probability": [0.25 + n for n in range(rows)],
            "churn": [n % 2 == 0 for n in range(rows)],
            "action": ["none" if n % 2 else "contact" for n in range(rows)],
            "threshold": [0.5] * rows,
            "model_version": ["7"] * rows,
        }
    ).replace_schema_metadata({"of": "a part"})


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    made = []
    for name, ids in (("a", FIRST), ("b", SECOND)):
        made.append(tmp_path / f"{name}.parquet")
        pq.write_table(answers(ids), made[-1], row_group_size=3)
    return made


def cells(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


@pytest.mark.parametrize("threads", [1, 3])
def test_parts_follow_each_other_in_parquet(parts: list[Path], tmp_path: Path, threads: int) -> None:
    join(parts, tmp_path / "out.parquet", threads)
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert file.read().column("customer_id").to_pylist() == FIRST + SECOND
    assert file.read().schema.names == answers(FIRST).schema.names
    assert file.schema_arrow.metadata is None, "what a part says of itself is not said of the whole"
    group = file.metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    assert {name for name, column in columns.items() if column.has_dictionary_page} == {"action", "threshold", "model_version"}
    assert {column.compression for column in columns.values()} == {"SNAPPY"}


@pytest.mark.parametrize("threads", [1, 3])
def test_parts_follow_each_other_in_csv_without_formulas(parts: list[Path], tmp_path: Path, threads: int) -> None:
    join(parts, tmp_path / "out.csv", threads)
    join(parts, tmp_path / "out.csv.gz", threads)
    text = (tmp_path / "out.csv").read_bytes()
    head, *rows = cells(text)
    assert head == ["customer_id", "churn_probability", "churn", "action", "threshold", "model_version"]
    assert [row[0] for row in rows] == ["anna", "'=2+3", "-1", "", 'ben,"b"', "", "+49 30", "ü"]
    assert [row[1:] for row in rows] == [
        [str(0.25 + n % 4), *(("false", "none") if n % 2 else ("true", "contact")), "0.5", "7"]
        for n in range(len(FIRST) + len(SECOND))
    ]
    assert b"\r" not in text
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == text
    # The same answers are the same bytes, whenever they are made.
    again = (tmp_path / "out.csv.gz").read_bytes()
    assert again[4:8] == bytes(4)


@pytest.mark.parametrize("ids", [["=1"], ["a", "@x"], [None, "\tx"], ["a", "\uff1dx"]])
def test_a_text_that_may_run_is_seen_wherever_it_is(ids: list[str | None]) -> None:
    column = pa.chunked_array([pa.array(["x", *ids]).slice(1)])
    assert joined._may_run(column)
    assert not joined._may_run(pa.chunked_array([pa.array(["x", "a=b", "", None, "1-2"])]))
    assert not joined._may_run(pa.chunked_array([pa.array([None], pa.string()), pa.array([], pa.string())]))


@pytest.mark.parametrize("ids", [None, [1, 2]])
def test_answers_without_texts_for_ids_are_spelled_too(tmp_path: Path, ids: list[int] | None) -> None:
    table = answers(["a", "b"]).drop_columns(["customer_id"])
    if ids:
        table = table.add_column(0, "customer_id", pa.array(ids))
    pq.write_table(table, tmp_path / "a.parquet")
    join([tmp_path / "a.parquet"], tmp_path / "out.csv", 1)
    _, first, _ = cells((tmp_path / "out.csv").read_bytes())
    assert first == [*(["1"] if ids else []), "0.25", "true", "contact", "0.5", "7"]


def test_a_single_part_is_moved(parts: list[Path], tmp_path: Path) -> None:
    content = parts[0].read_bytes()
    join(parts[:1], tmp_path / "out.parquet", 1)
    assert (tmp_path / "out.parquet").read_bytes() == content
    assert not parts[0].exists()


@pytest.mark.parametrize("there", [True, False])
def test_of_nothing_there_is_no_file(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "out.parquet").touch()
    join([], tmp_path / "out.parquet", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_target_that_cannot_be_written_is_an_error_and_not_there(parts: list[Path], tmp_path: Path, name: str) -> None:
    with pytest.raises(ChurnError, match="cannot be written"):
        join(parts, tmp_path / "none" / name, 1)
    parts[1].unlink()
    with pytest.raises((ChurnError, FileNotFoundError)):
        join(parts, tmp_path / name, 1)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("threshold", [0.1 + 0.2, 1e-7, 1.0, 0.0, 1 / 3, 123456789012.5])
def test_a_threshold_is_spelled_as_other_numbers_are(tmp_path: Path, threshold: float) -> None:
    table = answers(["a", "b", "c"])
    place = table.schema.get_field_index("threshold")
    for thresholds in ([threshold] * 3, [threshold, 0.5, threshold]):
        changed = table.set_column(place, "threshold", [thresholds]).set_column(1, "churn_probability", [thresholds])
        pq.write_table(changed, tmp_path / "part.parquet")
        join([tmp_path / "part.parquet"], tmp_path / "out.csv", 1)
        for _, probability, _, _, spelled, _ in cells((tmp_path / "out.csv").read_bytes())[1:]:
            assert spelled == probability
        assert [float(row[4]) for row in cells((tmp_path / "out.csv").read_bytes())[1:]] == thresholds
