"""POST /campaign/candidates: the list of the command, row by row, of whom the store says who is to be left alone."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from churn.batch.plan import Terms, make_plan
from churn.campaigns.call_list import write_list
from churn.campaigns.control_group import ControlGroup
from churn.campaigns.ranking import Limit
from churn.config.params import ProfitParams
from pipelines.candidates import find_candidates
from pipelines.planning import listed, make_campaign_plan
from tests.integration.files_to_score import customers, make_scorer
from tests.unit.service.fakes import FakeRegistry, FakeStore, make_model, with_segments

pytestmark = pytest.mark.anyio
CSV = {"content-type": "text/csv"}


def as_csv(rows: int) -> bytes:
    import pyarrow as pa
    import pyarrow.csv

    sink = io.BytesIO()
    pa.csv.write_csv(customers(rows), sink)
    return sink.getvalue()


@pytest.fixture
def segments() -> bool:
    return False


@pytest.fixture
def registry(segments: bool) -> FakeRegistry:
    return FakeRegistry(with_segments(make_model()) if segments else make_model())


@pytest.mark.parametrize("segments", [False, True])
async def test_ranked_it_is_the_list_of_the_command(
    client: httpx2.AsyncClient, store: FakeStore, tmp_path: Path, segments: bool
) -> None:
    (tmp_path / "in.csv").write_bytes(body := as_csv(300))
    scorer = make_scorer(control=ControlGroup(0.1), segments=segments)
    candidates = find_candidates(scorer, make_plan(tmp_path / "in.csv", "d", Terms()), Terms(), ProfitParams())
    store.left_alone = {candidates.ids[0]: "opted_out", candidates.ids[1]: "contacted_lately"}
    plan = make_campaign_plan(candidates, scorer, ProfitParams(), lambda _ids: dict(store.left_alone), Limit())
    write_list(tmp_path / "out.csv", ".csv", listed(plan, scorer), segment=segments)

    response = await client.post("/campaign/candidates", content=body, headers=CSV)
    assert response.status_code == 200, response.text
    said = response.json()
    ranked = sorted(said["candidates"], key=lambda one: -one["expected_gain"])
    text = said["header"] + "".join(f"{rank},{one['line']}" for rank, one in enumerate(ranked, 1))
    assert text == (tmp_path / "out.csv").read_text()
    assert said["customer_ids"] == [row.customer_id for row in store.rows]
    assert said["left_out"] == plan.left_out
    assert sorted(said["others_gain"]) == pytest.approx(sorted(candidates.others_gain), abs=0.006)
    assert said["left_out"]["control_group"] > 0
    assert sum(one["expected_cost"] for one in ranked) == pytest.approx(plan.total(plan.expected.cost))
    assert Counter(one.get("segment") for one in ranked) == Counter(
        {one.segment: one.calls for one in plan.by_segment()} if segments else {None: len(ranked)}
    )
    assert len(store.rows) == said["customers"] == 300
    assert store.contacts == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("customer_id,state\n,OH\n", "rows.0.customer_id"),
        ("state\nOH\n", "rows.0.customer_id"),
        ("customer_id,state\na,OH\na,NJ\n", "rows.1.customer_id"),
        ("customer_id,state\na,XX\n", "rows.0.state"),
    ],
)
async def test_what_cannot_be_called_is_refused(client: httpx2.AsyncClient, store: FakeStore, body: str, field: str) -> None:
    response = await client.post("/campaign/candidates", content=body.encode(), headers=CSV)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)
    assert store.rows == []


async def test_pieces_are_bounded_and_csv_and_no_list_is_made_without_the_store(
    client: httpx2.AsyncClient, store: FakeStore
) -> None:
    assert (await client.post("/campaign/candidates", content=as_csv(2_001), headers=CSV)).status_code == 413
    assert (await client.post("/campaign/candidates", json={"customers": []})).status_code == 415
    for other in ("text/csv; charset=iso-8859-1", "text/csv; header=absent", ""):
        refused = await client.post("/campaign/candidates", content=as_csv(3), headers={"content-type": other})
        assert refused.status_code == 415, other
    store.away = True
    assert (await client.post("/campaign/candidates", content=as_csv(3), headers=CSV)).status_code == 503


async def test_other_columns_are_left_aside_and_formulas_are_none(client: httpx2.AsyncClient) -> None:
    body = "customer_id,Favourite colour,total_day_minutes\n=1+1,blue,400\n"
    said: Any = (await client.post("/campaign/candidates", content=body.encode(), headers=CSV)).json()
    (one,) = said["candidates"]
    assert one["customer_id"] == "=1+1"
    assert next(csv.reader([one["line"]]))[0] == "'=1+1"


async def test_what_is_spelled_otherwise_is_not_left_aside(client: httpx2.AsyncClient) -> None:
    """Whoever is ranked without the minutes that the file has gets another place."""
    body = "customer_id,state,Total Day Minutes,note\na,KS,400,x\n"
    response = await client.post("/campaign/candidates", content=body, headers=CSV)
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"field": "header.Total Day Minutes", "problem": "unknown field; did you mean `total_day_minutes`?"}
    ]
    twice = body.replace("note", "total_day_minutes").replace("x", "20")
    assert (await client.post("/campaign/candidates", content=twice, headers=CSV)).status_code == 200
