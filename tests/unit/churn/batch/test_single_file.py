"""One file into one file."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from churn.batch.plan import Terms
from churn.batch.run import on_threads
from churn.batch.single_file import is_file_name, score_file
from churn.errors import InputError
from tests.integration.files_to_score import customers, make_scorer
from tests.unit.churn.batch.scoring import changed

pytestmark = pytest.mark.usefixtures("small_pieces")


def test_one_file_into_one_file_and_no_text_is_a_formula(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    names = {0: "=HYPERLINK(1)", 1: "+1", 2: "-42", 3: "@x", 4: "-1+1", 5: None, 6: 'a,"b"'}
    pq.write_table(changed(customers(500), "customer_id", names), source, row_group_size=100)
    for name in ("out.csv", "out.csv.gz", "out.parquet"):
        score_file(make_scorer(), source, tmp_path / name, Terms(), on_threads(2))
    whole = pq.read_table(tmp_path / "out.parquet")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["customer_id"] for row in rows[:7]] == ["'=HYPERLINK(1)", "+1", "-42", "'@x", "'-1+1", "", 'a,"b"']
    assert [float(row["churn_probability"]) for row in rows] == whole.column("churn_probability").to_pylist()
    assert [row["churn"] == "true" for row in rows] == whole.column("churn").to_pylist()
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == (tmp_path / "out.csv").read_bytes()
    assert whole.column("customer_id").to_pylist()[:5] == list(names.values())[:5]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.parquet", "out.csv", "out.csv.gz", "out.parquet"]
    with pytest.raises(InputError, match="is there already"):
        score_file(make_scorer(), source, tmp_path / "out.csv", Terms(), on_threads(2))
    pq.write_table(changed(customers(500), "state", {3: "XX"}), source)
    score_file(make_scorer(), source, tmp_path / "out.csv", Terms(invalid="skip"), on_threads(2), overwrite=True)
    assert pq.read_table(tmp_path / "out.csv.rejected.parquet").column("row").to_pylist() == [4]


@pytest.mark.parametrize("output", ["in.csv.rejected.parquet", "link.parquet", "in.csv"])
def test_neither_answers_nor_those_set_apart_replace_the_customers(tmp_path: Path, output: str) -> None:
    source = tmp_path / "in.csv.rejected.parquet"
    pq.write_table(customers(10), source)
    before = source.read_bytes()
    (tmp_path / "link.parquet").symlink_to(source)
    for overwrite in (False, True):
        with pytest.raises(InputError, match="the file of customers; name another"):
            score_file(make_scorer(), source, tmp_path / output, Terms(), on_threads(1), overwrite=overwrite)
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("source", "said"), [("gone.csv", "gone.csv: no such file"), (".", "answers of a folder go to a folder")]
)
def test_what_is_no_file_is_told_from_what_is_not_there(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        score_file(make_scorer(), tmp_path / source, tmp_path / "out.csv", Terms(), on_threads(1))


@pytest.mark.parametrize(
    ("name", "is_file"), [("a.csv", True), ("a.parquet", True), ("a.csv.gz", True), ("scored", False), ("v1.2", False)]
)
def test_an_output_is_a_file_or_a_folder_by_its_name(tmp_path: Path, name: str, is_file: bool) -> None:
    assert is_file_name(tmp_path / name) is is_file


@pytest.mark.parametrize("name", ["a.xlsx", "a.XLS", "a.pq", "a.CSV", "a.json", "a.parquet.gz", "a.zip", "a.tsv"])
def test_no_folder_is_made_that_looks_like_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"written as \.parquet, \.csv, \.csv\.gz"):
        is_file_name(tmp_path / name)
    (tmp_path / name).mkdir()
    assert is_file_name(tmp_path / name) is False, "it is a folder, whoever named it so"
