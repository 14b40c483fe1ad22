"""Two replicas on one store: one is told the outcome of what the other answered, and takes over what it left behind."""

from __future__ import annotations

from typing import Any

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service, serving
from benchmarks.chaos.store.account import enter
from benchmarks.chaos.store.slow import slow_way
from tools.postgres import running_cluster

ANSWERS = 60
SETTINGS = {"CHURN_STORE_TIMEOUT_SECONDS": "1"}
LONG_SECONDS = 3_600.0


@scenario("replicas-outcomes")
def outcomes_across_replicas(size: Size) -> Row:
    """Report outcomes to one replica of what the other one answered, also while that one has it in its spool."""
    row = Row("replicas-outcomes")
    with running_cluster() as cluster, cluster.database() as url, slow_way(cluster.folder, size.work) as (folder, delay):
        apart = cluster.url(url.partition("@/")[2].partition("?")[0], folder)
        with (
            serving(size.work / "one", apart, settings=SETTINGS) as one,
            serving(size.work / "other", url) as other,
            Load(one.address, other.address, rate=size.rate) as load,
        ):
            load.wait_for(ANSWERS)
            stored = _asked(one, "before")
            row.expect("another replica's prediction is known", _told(other, stored)["accepted"] == 1)
            # The way of one of them to the store is cut; the other one has it.
            delay(LONG_SECONDS)
            row.faults += 1
            one.wait_for_place("spool")
            waiting = _asked(one, "during")
            told = _told(other, waiting)
            row.expect(
                "an outcome that comes too early is named as unknown", [o["prediction_id"] for o in told["unknown"]] == [waiting]
            )
            load.wait_for(ANSWERS)
            delay(0.0)
            one.wait_for_place("store")
            told = _told(other, waiting)
            row.expect("reported again, it is taken", (told["accepted"], told["unknown"]) == (1, []))
        enter(row, url, load.tally)
    row.expect(f"no prediction fails ({load.tally.failed[:1]})", not row.failed + row.cut)
    return row


@scenario("replicas-one-home")
def replicas_share_a_home(size: Size) -> Row:
    """Two services share CHURN_HOME; one is killed while both spool, and the other one takes over what it left."""
    row = Row("replicas-one-home")
    with running_cluster() as cluster, cluster.database() as url:
        home = size.work / "home"
        with serving(home, url) as one, serving(home, url) as other, Load(one.address, other.address, rate=size.rate) as load:
            load.wait_for(ANSWERS)
            cluster.stop("fast")
            for service in (one, other):
                service.wait_for_place("spool")
            load.wait_for(ANSWERS)
            one.kill()
            row.faults += 2
            cluster.start()
            load.wait_for(ANSWERS)
            other.wait_until(lambda: not list((home / "spool").glob("*.spool")) and other.place() == "store")
        enter(row, url, load.tally)
    row.expect(f"who is answered is not failed ({load.tally.failed[:1]})", not row.failed)
    return row


def _asked(service: Service, customer: str) -> str:
    answer = service.post("/predict", {"customer_id": customer, "customer_service_calls": 1})
    return str(answer.json()["prediction_id"])


def _told(service: Service, prediction_id: str) -> dict[str, Any]:
    document = {"outcomes": [{"prediction_id": prediction_id, "churned": True}]}
    told: dict[str, Any] = service.post("/outcomes", document).raise_for_status().json()
    return told
