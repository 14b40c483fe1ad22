"""PostgreSQL stops, restarts, cuts connections, is locked, slow, read-only or frozen, while predictions are asked for.

Each fault is in force until a number of predictions was answered in spite of it: nothing depends on how fast the machine is. The
promise is the same for all: no prediction fails, each one that was answered is in the store afterwards, once.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import Service, serving
from benchmarks.chaos.store.account import enter
from benchmarks.chaos.store.slow import slow_way
from tools.postgres import Cluster, running_cluster

ANSWERS = 60
AWAY_SECONDS = 60.0
# Short, so that what hangs is given up soon; the client waits longer.
SETTINGS = {"CHURN_STORE_TIMEOUT_SECONDS": "1"}
DATABASE = "churn"
# More at once than the event loop has threads for what may wait.
OUTCOMES_AT_ONCE = 12


@dataclass
class Fixture:
    """A service, the PostgreSQL behind it, and what can delay the way between them."""

    cluster: Cluster
    service: Service
    delay: Callable[[float], None]
    url: str


@dataclass
class Day:
    """A fault that is being injected: where, under which load, how much of it, and the row it goes into."""

    fixture: Fixture
    load: Load
    size: Size
    row: Row

    def last(self) -> None:
        """Let the fault last: until enough was answered in spite of it."""
        self.row.faults += 1
        self.load.wait_for(ANSWERS)
        if not self.size.short:
            time.sleep(AWAY_SECONDS)

    def last_in_spool(self) -> None:
        """Let a fault last that keeps the store from being written."""
        self.fixture.service.wait_for_place("spool")
        self.last()


@contextmanager
def fixture(size: Size) -> Iterator[Fixture]:
    """Run a service on a PostgreSQL of its own until the block ends."""
    with running_cluster() as cluster:
        cluster.run(f"CREATE DATABASE {DATABASE}")
        with (
            slow_way(cluster.folder, size.work) as (folder, delay),
            serving(size.work / "home", cluster.url(DATABASE, folder), settings=SETTINGS) as service,
        ):
            yield Fixture(cluster, service, delay, cluster.url(DATABASE))


def stopped(day: Day) -> None:
    """The server is stopped, and started again."""
    day.fixture.cluster.stop("fast")
    day.last_in_spool()
    outcome_is_not_lost(day)
    day.fixture.cluster.start()


def cut(day: Day) -> None:
    """All connections are ended, again and again; then the server restarts at once, and crashes."""
    cluster = day.fixture.cluster
    for _ in range(int(day.size.pick(3, 20))):
        cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        day.row.faults += 1
        day.load.wait_for(ANSWERS)
    for mode in ("fast", "immediate"):
        cluster.stop(mode)
        cluster.start()
        day.row.faults += 1
        day.load.wait_for(ANSWERS)


def locked(day: Day) -> None:
    """Somebody locks the table and does not let go."""
    with day.fixture.cluster.connect(DATABASE) as other, other.transaction():
        other.execute("LOCK TABLE predictions")
        day.last_in_spool()


def slow(day: Day) -> None:
    """Every answer of the server comes late: nothing is spooled, all wait a little."""
    day.fixture.delay(0.2)
    day.last()
    day.row.expect("a slow store is still the store", day.fixture.service.place() == "store")
    day.fixture.delay(0.0)


def read_only(day: Day) -> None:
    """The server takes no writes, as after a failover that the service did not follow."""
    run = day.fixture.cluster.run
    run("ALTER SYSTEM SET default_transaction_read_only = on")
    run("SELECT pg_reload_conf()")
    day.last_in_spool()
    run("ALTER SYSTEM RESET default_transaction_read_only")
    run("SELECT pg_reload_conf()")


def frozen(day: Day) -> None:
    """The server and all its processes stand still: connections are accepted by the kernel, nothing is ever answered."""
    service, row = day.fixture.service, day.row
    day.fixture.cluster.signal(signal.SIGSTOP)
    try:
        day.last_in_spool()
        with ThreadPoolExecutor(OUTCOMES_AT_ONCE) as callers:
            told = list(callers.map(lambda _: service.post("/outcomes", _outcome(day)).status_code, range(OUTCOMES_AT_ONCE)))
        row.expect(f"outcomes are told to come later, in time ({set(told)})", set(told) == {503})
        batch = service.post("/predict/batch", {"customers": [{"customer_service_calls": 1}] * 3})
        row.expect("batches are answered", batch.status_code == 200)
        day.load.wait_for(ANSWERS)
    finally:
        day.fixture.cluster.signal(signal.SIGCONT)


FAULTS: dict[str, Callable[[Day], None]] = {
    "stopped": stopped,
    "cut": cut,
    "locked": locked,
    "slow": slow,
    "read-only": read_only,
    "frozen": frozen,
}


def endure(name: str, where: Fixture, size: Size) -> Row:
    """Inject one fault under load, wait until it is over, and count."""
    row = Row(f"postgres-{name}")
    with Load(where.service.address, rate=size.rate) as load:
        load.wait_for(ANSWERS)
        FAULTS[name](Day(where, load, size, row))
        where.service.wait_for_place("store")
        load.wait_for(ANSWERS)
    where.service.wait_for_place("store")
    enter(row, where.url, load.tally)
    row.expect(f"no prediction fails ({load.tally.failed[:1]})", not row.failed + row.cut + load.tally.refused)
    row.figures |= {f"p{share:g}_ms": load.tally.percentile(share / 100) for share in (50, 99, 100)}
    return row


def outcome_is_not_lost(day: Day) -> None:
    """Report an outcome while the store is away, again and again until it is taken, as a caller should."""
    service, document = day.fixture.service, _outcome(day)
    told = service.post("/outcomes", document)
    day.row.expect("an outcome is told to come later", told.status_code == 503 and "retry-after" in told.headers)


def _outcome(day: Day) -> dict[str, object]:
    return {"outcomes": [{"prediction_id": next(iter(day.load.tally.answered)), "churned": True}]}


def _alone(name: str, size: Size) -> Row:
    with fixture(size) as where:
        return endure(name, where, size)


for _name in FAULTS:
    scenario(f"postgres-{_name}")(partial(_alone, _name))
