"""One customer has one segment, whichever way it is asked for: by library, service, protocol, format, file and list."""

from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch.model import Scorer, ScoringModel
from churn.batch.plan import Terms
from churn.batch.run import on_threads
from churn.batch.single_file import score_file
from churn.customers.columns import CustomerColumns
from churn.explain.attribution import Attributor
from churn.explain.segmenter import Segmenter
from churn.inference.compiler import compile_pipeline
from churn.modeling.model import Model
from churn.segments.segments import Nearest, Segments
from service.app import create_app
from service.formats import answers, arrow_columns
from service.middleware.fast_path import TARGETS
from service.prediction import Extras
from service.schemas.native import BatchAnswer, PredictionAnswer
from tests.integration.files_to_score import CONTRACT
from tests.unit.churn.batch.scoring import score
from tests.unit.service.fakes import (
    FEATURES,
    FakeLastKnownGood,
    FakeRegistry,
    FakeStore,
    make_model,
    make_settings,
    running,
    served_model,
)

pytestmark = pytest.mark.anyio
SEGMENTS = Segments(
    columns=FEATURES,
    names=["high total day minutes", "=many calls", "typical"],
    centres=[[1.5, 0.0, 0.0], [0.0, -0.1, 0.0], [0.0, 0.0, 0.0]],
    shares=[0.2, 0.1, 0.7],
)
ARROW = "application/vnd.apache.arrow.stream"


def known() -> Model:
    model = make_model("5")
    return Model(model.pipeline, model.info.model_copy(update={"segments": SEGMENTS}))


def customers(rows: int = 40) -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    return [
        {
            "total_day_minutes": None if at % 7 == 0 else float(rng.integers(0, 400)),
            "customer_service_calls": None if at % 5 == 0 else int(rng.integers(0, 300)),
            "international_plan": bool(at % 2),
            "state": "WY",
        }
        for at in range(rows)
    ]


def by_hand(model: Model) -> list[str]:
    """The definition: contributions of the library, and the nearest centre."""
    compiled = compile_pipeline(model.pipeline, model.info.features, CONTRACT)
    assert compiled is not None
    attributor, nearest = Attributor(compiled), Nearest(SEGMENTS)
    rows = [[one[name] for name in FEATURES] for one in customers()]
    return [SEGMENTS.names[nearest.of(attributor.attribute(values).contributions)] for values in rows]


@pytest.fixture
async def asking(tmp_path: Path, store: FakeStore) -> Any:
    app = create_app(
        make_settings(tmp_path),
        registry=FakeRegistry(known()),
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(app) as client:
        yield client


async def test_every_protocol_and_format_names_the_same_segments(
    asking: httpx2.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pieces in (answers, arrow_columns):
        monkeypatch.setattr(pieces, "PIECE_ROWS", 7)
    expected = by_hand(known())
    assert len(set(expected)) == 3
    single = [(await asking.post("/predict?segment=true", json=one)).json() for one in customers()]
    assert [PredictionAnswer.model_validate(one).segment for one in single] == expected

    body = {"customers": customers()}
    batch = (await asking.post("/predict/batch?segment=true", json=body)).json()
    assert [one.segment for one in BatchAnswer.model_validate(batch).predictions] == expected
    texts = (await asking.post("/predict/batch?segment=true", json=body, headers={"Accept": "text/csv"})).text
    # Beginning like a formula, it is made harmless, as every text in CSV.
    assert [row["segment"] for row in csv.DictReader(io.StringIO(texts))] == [one.replace("=", "'=") for one in expected]
    for accept, read in (
        ("application/vnd.apache.parquet", lambda content: pq.read_table(io.BytesIO(content))),
        (ARROW, lambda content: pa.ipc.open_stream(content).read_all()),
    ):
        answer = await asking.post("/predict/batch?segment=true", json=body, headers={"Accept": accept})
        assert read(answer.content).column("segment").to_pylist() == expected

    tensors = [
        {"name": name, "shape": [40], "datatype": kind, "data": [one[name] for one in customers()]}
        for name, kind in (("total_day_minutes", "FP64"), ("customer_service_calls", "FP64"), ("international_plan", "BOOL"))
    ]
    inference = {"inputs": tensors, "outputs": [{"name": "segment"}, {"name": "churn"}]}
    (segment, _) = (await asking.post("/v2/models/churn/infer", json=inference)).json()["outputs"]
    assert (segment["name"], segment["datatype"], segment["data"]) == ("segment", "BYTES", expected)

    source = tmp_path / "customers.parquet"
    pq.write_table(pa.Table.from_pylist(customers()), source)
    info, compiled = known().info, compile_pipeline(known().pipeline, FEATURES, CONTRACT)
    assert compiled is not None
    model = ScoringModel(
        info.name, info.version, info.run_id, info.threshold, compiled.to_document(), CONTRACT, segments=SEGMENTS.model_dump()
    )
    scorer = Scorer.of(ScoringModel.from_json(model.to_json()))
    score(source, tmp_path / "out", Terms("stop", True), scorer=scorer)
    scored = pq.read_table(next((tmp_path / "out").glob("*.parquet")))
    assert scored.column("segment").to_pylist() == expected
    score_file(scorer, source, tmp_path / "out.csv", Terms("stop", True), on_threads(1))
    texts = (tmp_path / "out.csv").read_text()
    assert [row["segment"].removeprefix("'") for row in csv.DictReader(io.StringIO(texts))] == expected
    assert "'=many calls" in texts


async def test_nothing_is_said_that_was_not_asked_for(asking: httpx2.AsyncClient) -> None:
    assert "segment" not in (await asking.post("/predict", json=customers()[1])).json()
    assert "segment" not in (await asking.post("/predict?segment=false", json=customers()[1])).json()
    batch = (await asking.post("/predict/batch", json={"customers": customers()})).json()
    assert all("segment" not in one for one in batch["predictions"])
    tensors = [{"name": "total_day_minutes", "shape": [1], "datatype": "FP64", "data": [5.0]}]
    flag = [{"name": "international_plan", "shape": [1], "datatype": "BOOL", "data": [True]}]
    answer = (await asking.post("/v2/models/churn/infer", json={"inputs": tensors + flag})).json()
    assert [one["name"] for one in answer["outputs"]] == ["churn_probability", "churn", "prediction_id"]
    assert TARGETS[b"/predict"] is None
    assert TARGETS[b"/predict?segment=true"] == Extras(segment=True)
    assert TARGETS[b"/predict?reasons=2"] == Extras(2)
    assert TARGETS[b"/predict?reasons=2&segment=true"] == Extras(2, segment=True)


async def test_segments_of_a_large_batch_take_little_memory() -> None:
    served = served_model(known(), "registry")
    rows = 8_000
    drawn = np.random.default_rng(4).integers(0, 2, rows)
    codes: dict[str, Any] = {"category": drawn, "flag": drawn.astype(float), "number": 100.5 * drawn, "integer": 200.0 * drawn}
    values = {feature.name: codes[feature.kind] for feature in CONTRACT.features}
    batch = served.score_columns(CustomerColumns(values))
    last = served.score_columns(CustomerColumns({name: column[-50:] for name, column in values.items()}))
    tracemalloc.start()
    try:
        found = served.add_segments(batch).segments
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 25 * rows
    alone = served.add_segments(last).segments
    assert found is not None
    assert alone is not None
    assert found.of(slice(rows - 50, rows)) == alone.of(slice(None))
    assert len(set(found.of(slice(None)))) > 1


async def test_reasons_and_segment_come_together(asking: httpx2.AsyncClient) -> None:
    for query in ("reasons=2&segment=true", "segment=true&reasons=2"):
        answer = (await asking.post(f"/predict?{query}", json=customers()[1])).json()
        assert len(answer["reasons"]) == 2
        assert answer["segment"] == by_hand(known())[1]


async def test_the_model_and_its_metadata_tell_the_segments(asking: httpx2.AsyncClient) -> None:
    assert (await asking.get("/model")).json()["segments"]["names"] == SEGMENTS.names
    outputs = (await asking.get("/v2/models/churn")).json()["outputs"]
    assert {"name": "segment", "datatype": "BYTES", "shape": [-1]} in outputs


async def test_a_version_registered_before_there_were_segments_serves_and_says_that_it_has_none(
    client: httpx2.AsyncClient, store: FakeStore
) -> None:
    assert (await client.get("/model")).json()["segments"] is None
    refused = [
        ("segment", await client.post("/predict?segment=true", json=customers()[1])),
        ("segment", await client.post("/predict/batch?segment=true", json={"customers": customers()})),
    ]
    tensors = [
        {"name": "total_day_minutes", "shape": [1], "datatype": "FP64", "data": [5.0]},
        {"name": "international_plan", "shape": [1], "datatype": "BOOL", "data": [True]},
    ]
    asked = {"inputs": tensors, "outputs": [{"name": "segment"}]}
    refused.append(("outputs", await client.post("/v2/models/churn/infer", json=asked)))
    for field, response in refused:
        assert response.status_code == 422
        (problem,) = response.json()["errors"]
        assert problem["field"] == field
        assert problem["problem"].startswith("the model in service knows no segments")
    assert not store.rows
    assert (await client.post("/predict", json=customers()[1])).status_code == 200


async def test_a_level_that_no_training_saw_and_huge_numbers_have_a_segment(asking: httpx2.AsyncClient) -> None:
    odd = {"total_day_minutes": 44_640, "customer_service_calls": 1_000, "international_plan": True, "state": "AK"}
    answer = await asking.post("/predict?segment=true", json=odd)
    assert answer.json()["segment"] in SEGMENTS.names


def test_segments_of_another_model_are_refused() -> None:
    compiled = compile_pipeline(known().pipeline, FEATURES, CONTRACT)
    assert compiled is not None
    with pytest.raises(ValueError, match="other columns"):
        Segmenter.of(compiled, SEGMENTS.model_copy(update={"columns": FEATURES[::-1]}))
