"""Models that change while they are asked: fifty changes under load, and the real loader on a real registry."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from churn.config.params import Params, TuningParams
from churn.config.settings import Settings
from churn.contract import Contract
from churn.errors import ModelRefused, NoModel, RegistryError
from churn.lifecycle.rollback_request import RollbackRequest
from churn.modeling.model import Model
from churn.modeling.training import train
from churn.modeling.training_set import assemble
from churn.registry.aliases import DIGEST_TAG
from churn.registry.artifact import artifact_folder
from churn.registry.registry import Registry
from churn.simulation.simulate import simulate
from churn.store.records import DecisionKind
from churn.store.store import Store
from service.app import create_app
from service.model_loading import registry_source
from service.model_loading.loader_messages import LOADER_SETTINGS
from service.model_loading.loader_process import check_signature, respond
from service.model_loading.registry_source import RegistrySource
from service.state import ServiceState
from tests.checkout import CHECKOUT
from tests.integration.loading import loading_here
from tests.skops_io import skops_io
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, make_info, make_model, make_settings, served_model

pytestmark = pytest.mark.anyio
VERSIONS = [str(number) for number in range(1, 6)]
CUSTOMER = {"total_day_minutes": 265.1, "customer_service_calls": 4, "international_plan": "Yes"}
# Of the tasks, each eighth asks for many at once: for more than are answered without a thread.
CHANGES, TASKS, BATCHES, BATCH = 50, 16, 8, 250
PARAMS = Params(tuning=TuningParams(folds=2, grid={"logreg__C": [0.1]}))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def changing(tmp_path: Path) -> AsyncIterator[tuple[httpx2.AsyncClient, FakeRegistry]]:
    registry = FakeRegistry(*(make_model(version, slope=float(version)) for version in VERSIONS))
    settings = make_settings(tmp_path, probation_seconds=0.0)
    app = create_app(settings, registry=registry, last_known_good=FakeLastKnownGood().last_known_good())
    async with app.lifespan():
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client, registry


async def test_fifty_changes_under_load_fail_no_request_and_mix_no_versions(
    changing: tuple[httpx2.AsyncClient, FakeRegistry], contract: Contract, tmp_path: Path
) -> None:
    client, registry = changing
    values = [CUSTOMER.get(name) for name in contract.feature_names]
    values[contract.feature_names.index("international_plan")] = True
    right = {v: served_model(make_model(v, slope=float(v)), "registry").scorer.one(values) for v in VERSIONS}
    assert len({round(probability, 6) for probability in right.values()}) == len(VERSIONS)
    answered: dict[str, str] = {}
    asked, running = 0, True

    def check(answer: dict[str, object], version: object) -> None:
        assert answer["model_version"] == version
        assert abs(float(str(answer["churn_probability"])) - right[str(version)]) < 1e-12
        assert str(answer["prediction_id"]) not in answered
        answered[str(answer["prediction_id"])] = str(version)

    async def ask(number: int) -> None:
        nonlocal asked
        while running:
            asked += 1
            if number % BATCHES:
                response = await client.post("/predict", json=CUSTOMER)
                assert response.status_code == 200, response.text
                check(response.json(), response.json()["model_version"])
            else:
                response = await client.post("/predict/batch", json={"customers": [CUSTOMER] * BATCH})
                assert response.status_code == 200, response.text
                batch = response.json()
                for one in batch["predictions"]:
                    check(one, batch["model_version"])
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(ask(number)) for number in range(TASKS)]
    for activate in range(CHANGES):
        before = asked
        if activate % 5 == 4:
            response = await client.post("/admin/rollback", json={"reason": f"change {activate}"})
        else:
            # As a promotion does: the one that is replaced becomes the previous one.
            registry.others["previous"] = str(registry.champion)
            registry.champion = VERSIONS[activate % len(VERSIONS)]
            response = await client.post("/admin/reload")
        assert response.status_code == 200, response.text
        while asked < before + TASKS:
            assert not any(task.done() for task in tasks), [task.exception() for task in tasks if task.done()]
            await asyncio.sleep(0.001)
    running = False
    await asyncio.gather(*tasks)
    assert set(answered.values()) == set(VERSIONS)
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    stored = store.read_predictions(contract)
    store.close()
    assert dict(zip(stored["prediction_id"], stored["model_version"], strict=True)) == answered
    assert stored["churn_probability"].to_numpy() == pytest.approx([right[v] for v in stored["model_version"]], abs=1e-12)


@pytest.fixture(scope="module")
def registered(mlflow_environment: None, tmp_path_factory: pytest.TempPathFactory, contract: Contract) -> Settings:
    """Versions 1 to 3, of which 1 was champion before 2; the loader's process inherits the environment."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    registry = Registry(settings)
    training_set = assemble(simulate(contract, 400, 1), None, contract, PARAMS)
    trained = train(training_set, contract, PARAMS, name="churn", trigger="test")
    for _ in range(3):
        registry.register(trained, {}, {})
    registry.promote("1")
    registry.promote("2")
    return settings


def elsewhere(settings: Settings, home: Path) -> Settings:
    """Another machine that asks the same registry, with a store of its own."""
    return settings.model_copy(update={"home": home, "store_url": f"sqlite:///{home / 'store.db'}"})


@pytest.fixture(params=["here", pytest.param("in a process of its own", marks=pytest.mark.long)])
def loader(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where time is short, the process that the first test with the registry starts is enough."""
    with loading_here() if request.param == "here" else nullcontext():
        yield


def test_the_loader_makes_a_version_ready_that_answers_as_the_registered_pipeline(
    registered: Settings, contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = elsewhere(registered, tmp_path)
    source = RegistrySource(settings, contract)
    assert source.aliases() == {"champion": "2", "previous": "1"}
    served = source.load("2")
    assert (served.version, served.path, served.loaded_from) == ("2", "compiled", "registry")
    model = Registry(settings).load("2")
    customers = simulate(contract, 300, 9).features
    own = model.predict_probability(customers)
    rows = customers[contract.feature_names].astype(object).where(customers.notna(), None).to_numpy().tolist()
    assert [served.scorer.one(values) for values in rows] == pytest.approx(own, abs=1e-9)
    with monkeypatch.context() as patched:
        patched.setattr(registry_source, "COMMAND", ["/nowhere/no-process-of-its-own"])
        assert source.load("2").info == served.info
    with pytest.raises(NoModel):
        source.load("99")


def test_an_artifact_that_was_tampered_with_is_refused_by_its_hash_and_by_its_types(
    registered: Settings, contract: Contract, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    settings = elsewhere(registered, tmp_path)
    known = Registry(settings).registered("3")
    Registry(settings).load("3")
    foreign = Pipeline([("own", FunctionTransformer(simulate))])
    client = MlflowClient(settings.tracking_uri, settings.tracking_uri)
    for digest, words in ((known.artifact_digest, "its hash differs"), ("", r"not trusted: .*simulate")):
        Registry(settings).load("3")
        file = next(artifact_folder(settings, "3", known.run_id).rglob("model.skops"))
        file.write_bytes(skops_io.dumps(foreign))
        client.set_model_version_tag("churn", "3", DIGEST_TAG, digest)
        answer = asked(settings, {"do": "prepare", "version": "3"})
        assert answer["result"] == "refused"
        assert re.search(words, answer["reason"])
        client.set_model_version_tag("churn", "3", DIGEST_TAG, known.artifact_digest)


def test_a_contract_that_the_model_does_not_keep_is_a_refusal(registered: Settings, tmp_path: Path) -> None:
    text = (CHECKOUT / "churn" / "contracts" / "telecom.yaml").read_text()
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("name: account_length", "name: length_of_account"))
    settings = elsewhere(registered, tmp_path).model_copy(update={"contract": str(other)})
    answer = asked(settings, {"do": "prepare", "version": "2"})
    assert answer["result"] == "refused"
    assert "'account_length'" in answer["reason"]


def test_the_last_known_good_model_is_made_ready_from_its_folder_without_the_registry(
    registered: Settings, contract: Contract, tmp_path: Path, loader: None
) -> None:
    settings = elsewhere(registered, tmp_path)
    assert asked(settings, {"do": "prepare", "version": "2"}) == {"result": "done"}
    source = RegistrySource(settings, contract)
    source.save_last_known_good(source.load("2"))
    away = settings.model_copy(update={"tracking_uri": "http://127.0.0.1:1"})
    for file in (tmp_path / "models" / "churn" / "bundles").iterdir():
        file.unlink()
    alone = RegistrySource(away, contract)
    with pytest.raises(RegistryError):
        alone.aliases()
    assert alone.load_last_known_good(False) is None
    served = alone.load_last_known_good(True)
    assert served is not None
    assert (served.version, served.loaded_from) == ("2", "disk")


def test_a_rollback_moves_the_aliases_once_and_leaves_one_record(
    registered: Settings, contract: Contract, tmp_path: Path, loader: None
) -> None:
    settings = elsewhere(registered, tmp_path)
    source = RegistrySource(settings, contract)
    actor, reason = "probation", "20 of 200 requests failed"
    runs = {number: Registry(settings).identity(number) for number in ("1", "2")}
    request = RollbackRequest("2", runs["2"], "1", runs["1"], actor, reason, automatic=True, evidence={"errors": 20})
    again = {"do": "roll_back", "request": asdict(request)}
    try:
        other = replace(request, leaving_run_id="of another registry")
        assert asked(settings, {"do": "roll_back", "request": asdict(other)}) == {"result": "done"}
        assert source.aliases()["champion"] == "2", "it was decided for another model of this number"
        source.roll_back(request)
        assert source.aliases() == {"champion": "1", "previous": "2", "rolled-back": "2"}
        assert asked(settings, again) == {"result": "done"}
        Registry(settings).promote("3")
        assert asked(settings, again) == {"result": "done"}
        assert source.aliases()["champion"] == "3", "somebody decided otherwise since"
    finally:
        Registry(settings).promote("1")
        Registry(settings).promote("2")
    store = Store.open(settings.store_url)
    decided = [(one.kind, one.model_version, one.actor, one.reason) for one in store.decisions(kind=DecisionKind.ROLLBACK)]
    store.close()
    assert decided == [("rollback", "1", actor, reason)]


def asked(settings: Settings, request: dict[str, Any]) -> dict[str, str]:
    """What the loader answers, in this process: one of its own does each kind of request in the long form above."""
    return respond({**request, "settings": settings.model_dump(mode="json", include=LOADER_SETTINGS)})


def test_a_store_that_is_away_leaves_the_aliases_as_they_are(registered: Settings, contract: Contract, tmp_path: Path) -> None:
    settings = elsewhere(registered, tmp_path).model_copy(update={"store_url": "postgresql://u:p@127.0.0.1:1/none"})
    runs = {number: Registry(settings).identity(number) for number in ("1", "2")}
    request = RollbackRequest("2", runs["2"], "1", runs["1"], "ada", "why")
    answer = asked(settings, {"do": "roll_back", "request": asdict(request)})
    assert answer["result"] == "store away"
    assert ":p@" not in answer["reason"]
    assert RegistrySource(settings, contract).aliases()["champion"] == "2"


SIGNED = [{"name": "total_day_minutes", "type": "double"}, {"name": "state", "type": "string"}]


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"signature": {"inputs": json.dumps(SIGNED)}}, ""),
        ({"signature": {"inputs": json.dumps(SIGNED[::-1])}}, "instead of"),
        ({"signature": {"inputs": json.dumps(SIGNED[:1])}}, "instead of"),
        ({"signature": {"inputs": json.dumps([{**SIGNED[0], "type": "string"}, SIGNED[1]])}}, "instead of"),
        ({"signature": {"inputs": "garbage"}}, "cannot be read"),
        ({"signature": None}, "cannot be read"),
        ({}, "cannot be read"),
        ([], "cannot be read"),
        (None, "no MLmodel"),
    ],
)
def test_the_signature_must_be_what_the_model_reads(described: object, words: str, contract: Contract, tmp_path: Path) -> None:
    if described is not None:
        (tmp_path / "MLmodel").write_text(yaml.safe_dump(described))
    model = Model(make_model("1").pipeline, make_info("1", ["total_day_minutes", "state"]))
    if not words:
        check_signature(tmp_path, model, contract)
        return
    with pytest.raises(ModelRefused, match=words):
        check_signature(tmp_path, model, contract)


def test_a_request_that_nobody_understands_is_a_bug_and_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'dance'"):
        asked(make_settings(tmp_path), {"do": "dance"})


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[httpx2.AsyncClient, FakeRegistry, ServiceState]]:
    """A service with version 1 in service, and a version 2 that says the contrary of it."""
    registry = FakeRegistry(make_model("1", slope=3), make_model("2", slope=-3))
    registry.champion = "1"
    settings = make_settings(tmp_path, probation_min_outcomes=20, shadow_share=1.0)
    app = create_app(settings, registry=registry, last_known_good=FakeLastKnownGood().last_known_good())
    async with app.lifespan():
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client, registry, app.state


async def answered(client: httpx2.AsyncClient, count: int) -> list[dict[str, object]]:
    customers = [{"total_day_minutes": 20.0 + 330.0 * n / count, "international_plan": "No"} for n in range(count)]
    response = await client.post("/predict/batch", json={"customers": customers})
    assert response.status_code == 200, response.text
    answers: list[dict[str, object]] = response.json()["predictions"]
    return answers


async def tell(client: httpx2.AsyncClient, answers: list[dict[str, object]], *, right: bool) -> None:
    told = [
        {"prediction_id": one["prediction_id"], "churned": one["churn"] is right, "observed_at": "2026-01-02T00:00:00Z"}
        for one in answers
    ]
    assert (await client.post("/outcomes", json={"outcomes": told})).json()["accepted"] == len(told)


@pytest.mark.parametrize("right", [True, False])
async def test_a_champion_whose_answers_do_not_come_true_is_left_by_itself(
    two: tuple[httpx2.AsyncClient, FakeRegistry, ServiceState], right: bool
) -> None:
    client, registry, state = two
    registry.champion = "2"
    await client.post("/admin/reload")
    await tell(client, await answered(client, 80), right=right)
    await state.rollout.probation.poll()
    expected = "2" if right else "1"
    assert (await client.get("/model")).json()["version"] == registry.champion == expected
    if not right:
        [(leaving, version, actor, reason)] = registry.rollbacks
        assert (leaving, version, actor) == ("2", "1", "probation")
        assert "on the same 80 known outcomes" in reason
    metrics = (await client.get("/metrics")).text
    assert f"churn_probation_active {1.0 if right else 0.0}" in metrics


async def test_a_challenger_is_compared_on_what_the_champion_was_asked(
    two: tuple[httpx2.AsyncClient, FakeRegistry, ServiceState], tmp_path: Path
) -> None:
    client, registry, state = two
    registry.others["challenger"] = "2"
    await client.post("/admin/reload")
    await state.rollout.follower.follow_others()
    answers = await answered(client, 60)
    await client.post("/predict", json=CUSTOMER)
    await tell(client, answers, right=True)
    await state.rollout.shadow.score_waiting()
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    compared = store.compare_shadow("2")
    unknown = store.compare_shadow("1")
    store.close()
    assert unknown is None
    assert compared is not None
    assert (compared.n, compared.labelled) == (61, 60)
    assert compared.disagreement_rate > 0.5
    assert compared.brier is not None
    assert compared.brier_champion is not None
    assert compared.brier > compared.brier_champion
    assert compared.log_loss is not None
    assert compared.log_loss_champion is not None
    assert compared.log_loss > compared.log_loss_champion
    metrics = (await client.get("/metrics")).text
    assert 'churn_shadow_total{result="logged"} 61.0' in metrics
    assert "churn_shadow_difference_count 61.0" in metrics
