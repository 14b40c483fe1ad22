"""One file into one file."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from churn.batch.plan import Terms
from churn.batch.run import on_threads
from churn.batch.single_file import score_file
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
    with pytest.raises(InputError, match="is there already"):
        score_file(make_scorer(), source, source, Terms(), on_threads(2), overwrite=True)
    pq.write_table(changed(customers(500), "state", {3: "XX"}), source)
    score_file(make_scorer(), source, tmp_path / "out.csv", Terms(invalid="skip"), on_threads(2), overwrite=True)
    assert pq.read_table(tmp_path / "out.csv.rejected.parquet").column("row").to_pylist() == [4]
