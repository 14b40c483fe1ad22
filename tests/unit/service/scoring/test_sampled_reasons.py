"""A network in service: on every path as its pipeline, its reasons marked as approximate, and no segments."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
import orjson
import pandas as pd
import pytest

from churn.batch.model import Scorer, ScoringModel
from churn.contract import load_contract
from churn.errors import NoSegments
from churn.modeling.model import Model
from pipelines.planning import MAX_REASONS, call_reasons, call_segmenter
from service.app import create_app
from service.model_loading.bundle import serve
from service.model_loading.parity_check import verified, verify
from service.schemas.native import PredictionAnswer
from service.scoring.scorer import one_customer
from service.scoring.served_model import ServedModel
from tests.unit.churn.networks import hand_made
from tests.unit.service.fakes import (
    CUSTOMER,
    FakeLastKnownGood,
    FakeRegistry,
    FakeStore,
    make_info,
    make_settings,
    running,
    with_segments,
)

CONTRACT = load_contract()


@pytest.fixture(scope="module")
def network() -> Model:
    return Model(hand_made(CONTRACT), make_info("5", CONTRACT.feature_names))


@pytest.fixture(scope="module")
def served(network: Model) -> ServedModel:
    return verified(network, CONTRACT, "registry")


def test_it_is_checked_against_its_pipeline_and_served_compiled(network: Model, served: ServedModel) -> None:
    assert served.path == "compiled"
    bundle = verify(network, CONTRACT)
    assert bundle.compiled is not None
    assert set(bundle.compiled) == {"inputs", "layers"}
    # What a worker reads has no pipeline, and answers its probes.
    again = serve(bundle, CONTRACT, "disk")
    values, probability = bundle.probes[7]
    assert again.scorer.one(values) == pytest.approx(probability, abs=1e-9)


def test_reasons_add_up_and_say_that_they_are_approximate(served: ServedModel) -> None:
    values = [CUSTOMER.get(name) for name in CONTRACT.feature_names]
    values[CONTRACT.feature_names.index("international_plan")] = True
    said = json.loads(orjson.dumps(served.explain(values, 99)))
    assert said["approximate"] is True
    contributions = [reason["contribution"] for reason in said["reasons"]]
    logit = said["base_value"] + sum(contributions)
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(served.scorer.one(values), abs=1e-9)
    sizes = [abs(contribution) for contribution in contributions]
    assert sizes == sorted(sizes, reverse=True)
    for reason in said["reasons"]:
        effect = "raises the risk" if reason["contribution"] > 0 else "lowers the risk"
        assert reason["text"].endswith(effect if reason["contribution"] else "makes no difference")
    assert {reason["feature"] for reason in said["reasons"]} == set(CONTRACT.feature_names)


def test_segments_are_not_known(network: Model) -> None:
    claimed = verified(with_segments(network), CONTRACT, "registry")
    with pytest.raises(NoSegments):
        claimed.require_segments()


def test_files_are_scored_by_it_in_any_process_and_campaign_lists_have_its_reasons(network: Model, served: ServedModel) -> None:
    compiled = verify(network, CONTRACT).compiled
    known = ScoringModel("churn", "5", "run-5", 0.5, compiled, CONTRACT)
    scorer = Scorer.of(ScoringModel.from_json(known.to_json()))
    values = [CUSTOMER.get(name) for name in CONTRACT.feature_names]
    values[CONTRACT.feature_names.index("international_plan")] = True
    customers = one_customer(values, CONTRACT)
    assert scorer.probabilities(customers).tolist() == [served.scorer.one(values)]
    raising = [
        one["text"] for one in orjson.loads(orjson.dumps(served.explain(values, 99)))["reasons"] if one["contribution"] > 0
    ]
    assert list(call_reasons(scorer).of(customers)) == [raising[:MAX_REASONS]]
    assert call_segmenter(scorer) is None
    with pytest.raises(ValueError, match="version 5 has no segments"):
        Scorer.of(replace(known, segments={"columns": []}))


@pytest.fixture
async def client(network: Model, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    last = FakeLastKnownGood().last_known_good()
    app = create_app(make_settings(tmp_path), registry=FakeRegistry(network), store=FakeStore(), last_known_good=last)
    async with running(app) as client:
        yield client


@pytest.mark.anyio
async def test_every_way_in_gives_what_the_pipeline_gives(client: httpx2.AsyncClient, network: Model) -> None:
    known = pd.DataFrame([{name: CUSTOMER.get(name) for name in CONTRACT.feature_names}])
    known["international_plan"] = 1.0
    for column in CONTRACT.features:
        known[column.name] = known[column.name].astype(np.float64 if column.is_numeric else object)
    own = float(network.predict_probability(known)[0])
    answer = (await client.post("/predict?reasons=2", json=CUSTOMER)).json()
    PredictionAnswer.model_validate(answer)
    assert answer["churn_probability"] == pytest.approx(own, abs=1e-9)
    assert (answer["approximate"], len(answer["reasons"])) == (True, 2)
    assert "approximate" not in (await client.post("/predict", json=CUSTOMER)).json()
    batch = (await client.post("/predict/batch", json={"customers": [CUSTOMER, {"state": "OH"}]})).json()["predictions"]
    assert batch[0]["churn_probability"] == answer["churn_probability"]
    refused = await client.post("/predict?segment=true", json=CUSTOMER)
    assert refused.status_code >= 400
    assert "segment" in refused.text
    page = await client.get("/")
    assert page.status_code == 200
