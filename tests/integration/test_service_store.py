"""The app with a real store: what was answered is what is stored, whoever takes over in the meantime."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from churn.clock import now
from churn.contract import load_contract
from churn.customers.frame import frame_from_records
from churn.customers.pseudonym import Pseudonymiser
from churn.store.store import Store
from service.app import create_app
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, make_model, make_settings, running

pytestmark = pytest.mark.anyio
CONTRACT = load_contract()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def customer(n: int) -> dict[str, Any]:
    return {**CUSTOMER, "customer_id": f"c{n}", "total_day_minutes": float(n)}


def app_on(home: Path, registry: FakeRegistry, **changes: Any) -> Any:
    return create_app(make_settings(home, **changes), registry=registry, last_known_good=FakeLastKnownGood().last_known_good())


async def test_answered_is_stored_and_read_back_scores_the_same(tmp_path: Path) -> None:
    registry = FakeRegistry(make_model("1"))
    async with running(app_on(tmp_path, registry)) as client:
        answers = [(await client.post("/predict", json=customer(n))).json() for n in range(3)]
        batch = await client.post("/predict/batch", json={"customers": [customer(n) for n in range(3, 8)]})
        answers += batch.json()["predictions"]
        bad = await client.post("/predict/batch", json={"customers": [customer(8), {"total_day_minutes": -1}]})
        assert bad.status_code == 422
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    stored = store.read_predictions(CONTRACT)
    store.close()
    for name in ("prediction_id", "customer_id", "churn_probability", "model_version"):
        assert stored[name].tolist() == [answer[name] for answer in answers]
    again = make_model("1").pipeline.predict_proba(stored[make_model("1").info.features])[:, 1]
    assert np.abs(again - stored["churn_probability"]).max() < 1e-9


async def test_outcomes_come_back_to_their_predictions_once(tmp_path: Path) -> None:
    async with running(app_on(tmp_path, FakeRegistry(make_model("1")))) as client:
        first, second = [(await client.post("/predict", json=customer(n))).json() for n in range(2)]
        said = [
            {"prediction_id": first["prediction_id"], "churned": True},
            {"customer_id": second["customer_id"], "churned": False, "observed_at": now().isoformat()},
            {"prediction_id": "nobody", "churned": True},
        ]
        answers = [(await client.post("/outcomes", json={"outcomes": said})).json() for _ in range(2)]
        assert [(a["accepted"], a["duplicates"]) for a in answers] == [(2, 0), (0, 2)]
        assert answers[0]["unknown"] == [{"index": 2, "prediction_id": "nobody", "customer_id": None}]
        other = [{"prediction_id": first["prediction_id"], "churned": False}]
        conflict = (await client.post("/outcomes", json={"outcomes": other})).json()
        assert [c["index"] for c in conflict["conflicting"]] == [0]
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    assert store.read_predictions(CONTRACT, after_outcome_seq=0)["churned"].tolist() == [1.0, 0.0]
    store.close()


async def test_activation_under_load_fails_no_request_and_mixes_no_versions(tmp_path: Path) -> None:
    models = {str(n): make_model(str(n), slope=n - 2.5) for n in range(1, 5)}
    registry = FakeRegistry(models["1"])
    registry.models.update(models)
    expected = {
        version: model.predict_probability(
            frame_from_records([{**customer(n), "international_plan": True} for n in range(300)], CONTRACT)
        )
        for version, model in models.items()
    }
    done = asyncio.Event()
    answers: list[dict[str, Any]] = []

    async def ask(client: Any, worker: int) -> None:
        turn = 0
        while not done.is_set():
            numbers = [(worker * 37 + turn + k) % 300 for k in range(5)]
            response = await client.post("/predict/batch", json={"customers": [customer(n) for n in numbers]})
            single = await client.post("/predict", json=customer(numbers[0]))
            assert (response.status_code, single.status_code) == (200, 200)
            body = response.json()
            assert {p["model_version"] for p in body["predictions"]} == {body["model_version"]}
            answers.extend([*body["predictions"], single.json()])
            turn += 1

    async with running(app_on(tmp_path, registry)) as client, asyncio.TaskGroup() as group:
        for worker in range(4):
            group.create_task(ask(client, worker))
        for version in ("2", "3", "4", "1", "3"):
            registry.champion = version
            reload = await client.post("/admin/reload")
            assert reload.json() == {"result": "loaded", "model_version": version}
            seen = len(answers)
            while len(answers) < seen + 30:  # until the new one has answered too
                await asyncio.sleep(0)
        done.set()
    assert {a["model_version"] for a in answers} == {"1", "2", "3", "4"}
    for a in answers:
        assert a["churn_probability"] == pytest.approx(expected[a["model_version"]][int(a["customer_id"][1:])], abs=1e-9)
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    stored = store.read_predictions(CONTRACT).set_index("prediction_id")
    store.close()
    assert len(stored) == len(answers)
    assert stored.loc[[a["prediction_id"] for a in answers], "model_version"].tolist() == [a["model_version"] for a in answers]


async def in_the_store(client: httpx2.AsyncClient) -> None:
    while (await client.get("/readyz")).json().get("log") != "store":
        await asyncio.sleep(0.02)


async def test_while_the_store_is_broken_answers_go_on_and_it_gets_them_in_order_when_it_is_back(tmp_path: Path) -> None:
    app = app_on(tmp_path, FakeRegistry(make_model("1")))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    async with running(app) as client:
        assert (await client.post("/predict", json=customer(1))).status_code == 200
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE predictions RENAME TO elsewhere"))
        for number in range(2, 6):
            assert (await client.post("/predict", json=customer(number))).status_code == 200
        assert (await client.get("/readyz")).json()["log"] == "spool"
        outcome = {"outcomes": [{"customer_id": "c1", "churned": True}]}
        away = await client.post("/outcomes", json=outcome)
        assert (away.status_code, away.json()["type"]) == (503, "urn:churn:problem:store-away")
        assert "elsewhere" not in away.text
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO predictions"))
        await in_the_store(client)
        assert (await client.post("/predict", json=customer(6))).status_code == 200
    assert store.read_predictions(CONTRACT)["customer_id"].tolist() == [f"c{number}" for number in range(1, 7)]
    assert list((tmp_path / "spool").iterdir()) == []
    store.close()


async def test_a_batch_is_kept_whole_while_the_store_is_broken(tmp_path: Path) -> None:
    app = app_on(tmp_path, FakeRegistry(make_model("1")))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    async with running(app) as client:
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE predictions RENAME TO elsewhere"))
        batch = await client.post("/predict/batch", json={"customers": [customer(number) for number in range(5_000)]})
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO predictions"))
        await in_the_store(client)
    answered = [one["prediction_id"] for one in batch.json()["predictions"]]
    assert store.read_predictions(CONTRACT)["prediction_id"].tolist() == answered
    store.close()


async def test_service_starts_without_the_store_and_finds_it_later(tmp_path: Path) -> None:
    where = tmp_path / "later"
    where.touch()  # a file where the store's folder should be
    app = app_on(tmp_path, FakeRegistry(make_model("1")), store_url=f"sqlite:///{where}/store.db")
    async with running(app) as client:
        assert (await client.get("/readyz")).json()["log"] == "spool"
        assert (await client.post("/predict", json=customer(1))).status_code == 200
        where.unlink()
        where.mkdir()
        await in_the_store(client)
        assert (await client.post("/predict", json=customer(2))).status_code == 200
    store = Store.open(f"sqlite:///{where}/store.db")
    assert store.read_predictions(CONTRACT)["customer_id"].tolist() == ["c1", "c2"]
    store.close()


async def test_neither_store_nor_spool_is_503_and_not_ready_then_both_recover(tmp_path: Path) -> None:
    app = app_on(tmp_path, FakeRegistry(make_model("1")), spool_max_bytes=0)
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    async with running(app) as client:
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE predictions RENAME TO elsewhere"))
        response = await client.post("/predict", json=customer(2))
        assert (response.status_code, response.json()["type"]) == (503, "urn:churn:problem:store-away")
        assert "elsewhere" not in response.text
        assert (await client.get("/readyz")).status_code == 503
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO predictions"))
        assert (await client.post("/predict", json=customer(3))).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
    assert store.read_predictions(CONTRACT)["customer_id"].tolist() == ["c3"]
    store.close()


KEY, OTHER_KEY = "a key of sixteen or more", "another key, as long as that"
PLAIN = "customer-4711-mueller"


def files_of(home: Path) -> bytes:
    """Every byte on disk, the write-ahead log too."""
    return b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())


async def outcome_accepted(home: Path, key: str) -> bool:
    """Whether a service with `key` finds the prediction of the customer."""
    async with running(app_on(home, FakeRegistry(make_model("1")), pseudonym_key=SecretStr(key))) as client:
        said = {"outcomes": [{"customer_id": PLAIN, "churned": True}]}
        return bool((await client.post("/outcomes", json=said)).json()["accepted"])


async def test_with_a_key_no_plain_id_is_on_disk_and_outcomes_find_their_predictions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = {**CUSTOMER, "customer_id": PLAIN}
    caplog.set_level(0)
    async with running(app_on(tmp_path, FakeRegistry(make_model("1")), pseudonym_key=SecretStr(KEY))) as client:
        assert (await client.post("/predict", json=asked)).json()["customer_id"] == PLAIN
        await client.post("/predict/batch", json={"customers": [asked, {**asked, "total_day_minutes": -1}]})
        assert PLAIN.encode() not in files_of(tmp_path), "while it runs"
    assert not await outcome_accepted(tmp_path, OTHER_KEY), "another key unlinks"
    assert not await outcome_accepted(tmp_path, ""), "so does none"
    assert await outcome_accepted(tmp_path, KEY)
    assert Pseudonymiser(KEY)(PLAIN).encode() in files_of(tmp_path)
    assert PLAIN.encode() not in files_of(tmp_path)
    assert PLAIN not in caplog.text


async def test_without_a_key_ids_are_stored_as_they_came(tmp_path: Path) -> None:
    async with running(app_on(tmp_path, FakeRegistry(make_model("1")))) as client:
        await client.post("/predict", json={**CUSTOMER, "customer_id": PLAIN})
    assert PLAIN.encode() in files_of(tmp_path)
