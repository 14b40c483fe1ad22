"""`churn campaign plan` with a model that knows segments: each customer's is in the list, and what each brings is said."""

from __future__ import annotations

import csv
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from churn.batch.model import Scorer
from churn.batch.plan import Terms
from churn.batch.run import on_threads, score_folder
from churn.campaigns.control_group import ControlGroup
from churn.clock import now
from churn.store.records import Outcome
from churn.store.store import Store
from pipelines import scoring as scoring_module
from pipelines.cli.campaigns import plan as campaign_plan
from tests.integration.files_to_score import customers, make_scorer, read_answers
from tests.unit.pipelines.cli.command import Churn


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> Scorer:
    scorer = make_scorer(control=ControlGroup(0.1), segments=True)
    monkeypatch.setattr(scoring_module, "find_scorer", lambda *_: scorer)
    monkeypatch.setattr(campaign_plan, "_drawn", lambda *_: nullcontext())
    return scorer


def plan(churn: Churn, source: str, output: str, *more: str) -> Any:
    said = churn("campaign", "plan", source, output, "--name", "may", *more)
    assert said.code == 0, said.err
    return said


def test_the_list_names_the_segment_that_files_of_answers_name(churn: Churn, tmp_path: Path, model: Scorer) -> None:
    pq.write_table(customers(600), tmp_path / "in.parquet")
    told = plan(churn, "in.parquet", "out.csv", "--json").json
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-2:] == ["segment", "reasons"]
    plan(churn, "in.parquet", "out.parquet", "--dry-run")
    written = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [{name: str(value) for name, value in row.items()} for row in written] == rows

    known = model.model.known_segments
    assert known is not None
    asked = replace(model.model, segments=known.model_dump(mode="json"))
    score_folder(Scorer.of(asked), tmp_path / "in.parquet", tmp_path / "scored", Terms(), on_threads(1))
    answers = {row["customer_id"]: row["segment"] for row in read_answers(tmp_path / "scored").to_pylist()}
    assert {row["customer_id"]: row["segment"] for row in rows} == {
        row["customer_id"]: answers[row["customer_id"]] for row in rows
    }
    assert {row["segment"] for row in rows} == set(known.names)

    of = {name: [row for row in rows if row["segment"] == name] for name in known.names}
    assert [(one["segment"], one["calls"]) for one in told["segments"]] == sorted(
        ((name, len(some)) for name, some in of.items()), key=lambda one: -one[1]
    )
    for one in told["segments"]:
        gains = [float(row["expected_gain"]) for row in of[one["segment"]]]
        assert one["gain"] == pytest.approx(sum(gains), abs=0.005 * len(gains))
    for what in ("calls", "saved", "cost", "gain"):
        assert sum(one[what] for one in told["segments"]) == pytest.approx(told[what])


def test_what_each_segment_brings_is_said_and_nobodys_is_not(churn: Churn, tmp_path: Path) -> None:
    pyarrow.csv.write_csv(customers(600), tmp_path / "in.csv")
    lines = plan(churn, "in.csv", "out.csv", "--dry-run").out.splitlines()
    said = [line for line in lines if " in '" in line]
    assert len(said) == 2
    assert "'typical'" in said[1]
    assert "saved, cost" in said[0]
    assert "gain" in said[0]
    only = plan(churn, "in.csv", "few.csv", "--top", "1").out
    assert sum(" in '" in line for line in only.splitlines()) == 1


def test_a_model_that_knows_no_segments_writes_none(churn: Churn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_module, "find_scorer", lambda *_: make_scorer())
    pyarrow.csv.write_csv(customers(200), tmp_path / "in.csv")
    assert plan(churn, "in.csv", "out.csv", "--json").json["segments"] == []
    assert "segment" not in (tmp_path / "out.csv").read_text().splitlines()[0]


def test_the_report_says_what_it_brought_to_each_segment(
    churn: Churn, tmp_path: Path, model: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(customers(900), tmp_path / "in.parquet")
    scorer = replace(model, model=replace(model.model, control=ControlGroup(0.3)))
    monkeypatch.setattr(scoring_module, "find_scorer", lambda *_: scorer)
    plan(churn, "in.parquet", "out.parquet")
    listed = Counter(row["segment"] for row in pq.read_table(tmp_path / "out.parquet").to_pylist())
    store = Store.open("sqlite:///home/store.db")
    with store.engine.connect() as connection:
        named = connection.exec_driver_sql("SELECT prediction_id FROM predictions ORDER BY seq").scalars().all()
    store.write_outcomes([Outcome(at % 3 == 0, now(), str(one)) for at, one in enumerate(named)])
    store.close()
    told = churn("campaign", "report", "may", "--json").json
    assert told["segments_of"] == "1"
    by = {one["segment"]: one for one in told["segments"]}
    # Some of the list are below the threshold: a report compares whom the model named.
    assert 0 < by["high total_day_minutes"]["contacted"] <= listed["high total_day_minutes"]
    for what in ("named", "held_out", "contacted"):
        assert sum(one[what] for one in by.values()) == told[what]
    assert sum(one["left"] for one in by.values()) == told["effect"]["contacted_left"]
    lines = churn("campaign", "report", "may").out
    assert "high total_day_minutes: " in lines
    assert "saved" in lines

    monkeypatch.setattr(scoring_module, "find_scorer", lambda *_: make_scorer())
    assert "by segment           not known: version 1 knows no segments" in churn("campaign", "report", "may").out
