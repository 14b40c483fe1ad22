"""Files say what is to be done with a customer, as the service does: whatever their format, and whoever the customer is."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from churn.batch.model import ScoringModel
from churn.batch.plan import Terms
from churn.batch.run import on_threads
from churn.batch.single_file import score_file
from churn.campaigns.control_group import ACTIONS, ControlGroup
from service.formats.answers import csv_answer
from service.formats.csv_text import read_csv
from tests.integration.files_to_score import customers, make_scorer, read_answers
from tests.unit.churn.batch.scoring import RULES, score
from tests.unit.service.fakes import make_model, served_model

CONTROL = ControlGroup(0.4, "here")
pytestmark = pytest.mark.usefixtures("small_pieces")


def asked_of_the_service(table: Any) -> list[str]:
    sink = io.BytesIO()
    pa.csv.write_csv(table, sink)
    batch = served_model(make_model(), "disk").score_columns(read_csv(sink.getvalue(), RULES, 10**6), CONTROL)
    text = b"".join(csv_answer(batch)).decode()
    return [row["action"] for row in csv.DictReader(io.StringIO(text))]


@pytest.mark.parametrize("ids", ["texts", "whole numbers", "some", "none"])
def test_every_format_says_what_the_service_says(tmp_path: Path, ids: str) -> None:
    table = customers(300)
    if ids == "whole numbers":
        table = table.set_column(0, "customer_id", pa.array(range(300), pa.int64()))
    elif ids == "some":
        table = table.set_column(0, "customer_id", pa.array([None if n % 3 else f"c{n}" for n in range(300)]))
    elif ids == "none":
        table = table.drop_columns(["customer_id"])
    expected = asked_of_the_service(table)
    assert set(expected) == (set(ACTIONS) if ids != "none" else {"none", "contact"})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=100)
    pa.csv.write_csv(table, tmp_path / "in.csv")
    scorer = make_scorer(control=CONTROL)
    for source in ("in.parquet", "in.csv"):
        score(tmp_path / source, tmp_path / f"{source}.out", scorer=scorer)
        assert read_answers(tmp_path / f"{source}.out").column("action").to_pylist() == expected
        for name in ("out.parquet", "out.csv"):
            score_file(scorer, tmp_path / source, tmp_path / name, Terms(), on_threads(2), overwrite=True)
        assert pq.read_table(tmp_path / "out.parquet").column("action").to_pylist() == expected
        with (tmp_path / "out.csv").open(newline="") as file:
            assert [row["action"] for row in csv.DictReader(file)] == expected


def test_another_control_group_makes_other_answers(tmp_path: Path) -> None:
    pq.write_table(customers(300), tmp_path / "in.parquet")
    first = score(tmp_path / "in.parquet", tmp_path / "out", scorer=make_scorer(control=CONTROL))
    again = score(tmp_path / "in.parquet", tmp_path / "out", scorer=make_scorer(control=CONTROL))
    other = make_scorer(control=replace(CONTROL, key="there"))
    changed = score(tmp_path / "in.parquet", tmp_path / "out", scorer=other, overwrite=True)
    assert (first.key, again.kept, changed.kept) == (again.key, again.parts, 0)
    assert ScoringModel.from_json(other.model.to_json()).control == other.model.control, "a worker has the same control group"
