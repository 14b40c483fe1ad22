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
from churn.store.contacts.opted_out import OptedOut, opt_out_digest, prefixes
from service.formats.answers import csv_answer
from service.formats.csv_text import read_csv
from tests.integration.files_to_score import customers, make_scorer, read_answers
from tests.unit.churn.batch.scoring import RULES, score
from tests.unit.service.fakes import make_model, served_model

CONTROL = ControlGroup(0.4, "here")
pytestmark = pytest.mark.usefixtures("small_pieces")


def opted_out(table: Any) -> OptedOut:
    """Every fifth customer with an id wants no contacts, and somebody else."""
    ids = table.column("customer_id").to_pylist() if "customer_id" in table.column_names else []
    said = ["nobody", *(str(one) for one in ids[::5] if one is not None)]
    return OptedOut().changed(prefixes(map(opt_out_digest, said)), prefixes([]))


def asked_of_the_service(table: Any) -> list[str]:
    sink = io.BytesIO()
    pa.csv.write_csv(table, sink)
    batch = served_model(make_model(), "disk").score_columns(read_csv(sink.getvalue(), RULES, 10**6), CONTROL, opted_out(table))
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
    scorer = replace(scorer, model=replace(scorer.model, opted_out=opted_out(table)))
    if ids != "none":
        churn_ids = [one for one, has in zip(table["customer_id"].to_pylist(), expected, strict=True) if has != "none"]
        assert not any(scorer.model.opted_out.has(None if one is None else str(one)) for one in churn_ids)
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


def test_who_says_so_later_makes_other_answers_and_workers_know_of_them(tmp_path: Path) -> None:
    pq.write_table(customers(300), tmp_path / "in.parquet")
    scorer = make_scorer()
    score(tmp_path / "in.parquet", tmp_path / "out", scorer=scorer)
    first = read_answers(tmp_path / "out")
    later = replace(scorer, model=replace(scorer.model, opted_out=opted_out(customers(300))))
    changed = score(tmp_path / "in.parquet", tmp_path / "out", scorer=later, overwrite=True)
    assert changed.kept == 0
    answers = read_answers(tmp_path / "out")
    assert answers.drop_columns(["action"]).equals(first.drop_columns(["action"]))
    gone = [
        (row["customer_id"], row["action"])
        for row, before in zip(answers.to_pylist(), first.column("action").to_pylist(), strict=True)
        if row["action"] != before
    ]
    assert gone
    assert {action for _, action in gone} == {"none"}
    sent = ScoringModel.from_json(later.model.to_json()).opted_out
    assert sent == later.model.opted_out
    assert all(sent.has(name) for name, _ in gone)
