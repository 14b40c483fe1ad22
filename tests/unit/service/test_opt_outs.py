"""Who wants no contacts is read beside the requests; while the store is away, what was known last holds."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx2
import pytest

from churn.customers.pseudonym import Pseudonymiser
from churn.errors import StoreError
from churn.store.contacts.opt_outs import OptOutChanges, OptOutState
from churn.store.contacts.opted_out import opt_out_digest, prefixes
from service.app import create_app
from service.opt_outs import OptOutFollower
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running

pytestmark = pytest.mark.anyio
LEAVES = {"total_day_minutes": 350.0, "customer_service_calls": 9, "international_plan": "Yes"}


async def test_the_last_known_holds_while_the_store_is_away(store: FakeStore, caplog: pytest.LogCaptureFixture) -> None:
    store.opted_out = {"anna": True}
    follower = OptOutFollower(store.opt_out_changes, poll_seconds=3600)
    await follower.start()
    assert follower.current.has("anna")
    store.away = True
    with pytest.raises(StoreError):
        await follower.refresh()
    assert follower.current.has("anna")
    store.away, store.opted_out["ben"] = False, True
    await follower.refresh()
    assert [follower.current.has(name) for name in ("anna", "ben", "carla")] == [True, True, False]
    await follower.stop()


async def test_a_start_without_the_store_knows_nobody_and_says_so(store: FakeStore, caplog: pytest.LogCaptureFixture) -> None:
    store.away = True
    follower = OptOutFollower(store.opt_out_changes, poll_seconds=3600)
    with caplog.at_level(logging.WARNING):
        await follower.start()
    assert "who wants no contacts" in caplog.text
    assert not follower.current
    await follower.stop()


async def test_an_emptied_store_leaves_nobody(store: FakeStore) -> None:
    said = [
        OptOutChanges(prefixes([opt_out_digest("anna")]), prefixes([]), OptOutState(None, 1)),  # type: ignore[arg-type]
        OptOutChanges(prefixes([]), prefixes([]), None),
        None,
    ]
    follower = OptOutFollower(lambda _seen: said.pop(0))
    for known in (1, 0, 0):
        await follower.refresh()
        assert len(follower.current) == known


async def test_a_replica_is_told_at_once_of_what_it_was_told_itself(
    tmp_path: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "a key of sixteen or more"
    app = create_app(
        make_settings(tmp_path, pseudonym_key=key, control_share=0.0),
        registry=FakeRegistry(make_model()),
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(app) as client:

        async def action(name: str) -> str:
            return str((await client.post("/predict", json={**LEAVES, "customer_id": name})).json()["action"])

        assert await action("anna") == "contact"
        store.opted_out = {Pseudonymiser(key)("anna"): True}
        told = await client.post("/contacts", json={"contacts": [{"customer_id": "anna", "opt_out": True}]})
        assert told.status_code == 200
        while not app.state.predictions.opt_outs.current:
            await asyncio.sleep(0.001)
        assert await action("anna") == "none"
        assert await action("ben") == "contact"
        metrics = (await client.get("/metrics")).text
    assert "churn_opt_outs_known 1.0" in metrics
    assert "churn_opt_outs_read_timestamp_seconds 1" in metrics


async def test_contacts_alone_ask_for_no_read(client: httpx2.AsyncClient, store: FakeStore) -> None:
    reads: list[object] = []
    store.opt_out_changes = reads.append  # type: ignore[method-assign]
    await client.post("/contacts", json={"contacts": [{"customer_id": "anna", "contacted_at": "2026-01-02T00:00:00Z"}]})
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert reads == []
