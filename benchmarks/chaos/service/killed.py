"""The service is killed with -9 under load, again and again; and of several workers one is."""

from __future__ import annotations

import os
import signal
from functools import partial

import psutil

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service, serving
from benchmarks.chaos.store.account import enter
from tools.postgres import running_cluster

ANSWERS = 150
CONNECTIONS = 8


def killed(name: str, size: Size, store_url: str) -> Row:
    """Kill the service under load, start it again, and count what it had answered."""
    row = Row(name)
    with (
        serving(size.work / "home", store_url) as service,
        Load(service.address, connections=CONNECTIONS, rate=size.rate) as load,
    ):
        for _ in range(int(size.pick(2, 20))):
            load.wait_for(ANSWERS)
            service.kill()
            row.faults += 1
            service.start()
        load.wait_for(ANSWERS)
    enter(row, store_url, load.tally)
    row.expect(f"who is answered is not failed ({load.tally.failed[:1]})", not row.failed)
    # Each connection had one request in work when its process died, and may have met the socket of a dying one after.
    row.expect("only requests in work are cut off", row.cut <= 2 * row.faults * CONNECTIONS)
    return row


@scenario("killed-sqlite")
def killed_on_sqlite(size: Size) -> Row:
    """Kill the service on SQLite."""
    return killed("killed-sqlite", size, f"sqlite:///{size.work / 'store.db'}")


@scenario("killed-postgres")
def killed_on_postgres(size: Size) -> Row:
    """Kill the service on PostgreSQL."""
    with running_cluster() as cluster, cluster.database() as url:
        return killed("killed-postgres", size, url)


@scenario("worker-killed")
def worker_killed(size: Size) -> Row:
    """Kill one of two workers under load: the other one answers on, and a new one comes."""
    row, url = Row("worker-killed"), f"sqlite:///{size.work / 'store.db'}"
    with (
        serving(size.work / "home", url, workers=2) as service,
        Load(service.address, connections=CONNECTIONS, rate=size.rate) as load,
    ):
        for _ in range(int(size.pick(1, 10))):
            load.wait_for(ANSWERS)
            victim, *others = _workers(service, 2)
            os.kill(victim, signal.SIGKILL)
            row.faults += 1
            load.wait_for(ANSWERS)
            row.expect("the others are left alone", all(map(psutil.pid_exists, others)))
            service.wait_until(partial(_respawned, service, victim))
    enter(row, url, load.tally)
    row.expect("whoever is accepted by a living worker is answered", not row.failed)
    row.expect("new connections find a worker", not load.tally.refused)
    row.expect("only requests of the dead worker are cut off", row.cut <= row.faults * CONNECTIONS)
    return row


def _workers(service: Service, count: int) -> list[int]:
    found: list[int] = []

    def complete() -> bool:
        found[:] = service.worker_pids()
        return len(found) == count

    service.wait_until(complete)
    return found


def _respawned(service: Service, victim: int) -> bool:
    pids = service.worker_pids()
    return len(pids) == service.workers and victim not in pids
