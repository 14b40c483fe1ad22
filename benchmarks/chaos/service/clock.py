"""The clock is set back while the service runs, by libfaketime: the wall clock alone, as when somebody corrects it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from benchmarks.chaos.scenarios import Row, Size, scenario
from benchmarks.chaos.service.load import Load
from benchmarks.chaos.service.system import serving
from benchmarks.chaos.store.account import enter
from churn.store.store import Store
from churn.store.tables import predictions
from tools.postgres import NotHere, running_cluster

ANSWERS, HOUR = 80, 3_600
LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")


@scenario("clock-set-back")
def clock_set_back(size: Size) -> Row:
    """Set the clock back by an hour under load, more than once, the last time while predictions wait in the spool."""
    row = Row("clock-set-back")
    said = size.work / "clock"
    settings = {
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(said),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # A caller's allowance is counted by another clock: set back, this one would let nobody in for an hour.
        "CHURN_RATE_LIMIT": "1000000",
    }
    said.write_text("+0")
    with running_cluster() as cluster, cluster.database() as url:
        # The model is made ready before: a wait for a child process is cut short by libfaketime now and then (EINVAL).
        with serving(size.work / "home", url):
            pass
        with serving(size.work / "home", url, settings=settings) as service:
            with Load(service.address, rate=size.rate) as load:
                load.wait_for(ANSWERS)
                for steps in range(1, int(size.pick(1, 5)) + 1):
                    said.write_text(f"-{steps * HOUR}")
                    row.faults += 1
                    load.wait_for(ANSWERS)
                cluster.stop("fast")
                service.wait_for_place("spool")
                load.wait_for(ANSWERS)
                said.write_text(f"-{(steps + 1) * HOUR}")
                row.faults += 1
                load.wait_for(ANSWERS)
                cluster.start()
                service.wait_for_place("store")
                load.wait_for(ANSWERS)
            service.wait_for_place("store")
            first, *_, last = load.tally.answered
            told = service.post("/outcomes", {"outcomes": [{"prediction_id": one, "churned": True} for one in (first, last)]})
            row.expect("outcomes are taken of predictions from before and after", told.json().get("accepted") == 2)
        enter(row, url, load.tally)
        seconds, later = _order(url, list(load.tally.answered))
    row.expect("the clock was set back", seconds > (steps + 0.9) * HOUR)
    # The monitor's cursor is this number. With eight connections a later answer may come a little earlier.
    row.expect("what was answered later has a higher number in the store, whatever its time", later)
    row.expect(f"no prediction fails ({load.tally.failed[:1]})", not row.failed + row.cut)
    return row


def _library() -> Path:
    found = [file for pattern in LIBRARIES for file in Path("/").glob(pattern[1:])]
    if not found:
        raise NotHere("needs libfaketime: apt-get install -y faketime")
    return found[0]


def _order(url: str, answered: list[str]) -> tuple[float, bool]:
    """Tell how many seconds lie between the latest and the earliest request, and whether the store numbers them as they came."""
    store = Store.open(url)
    try:
        with store.engine.connect() as connection:
            ordered = list(connection.execute(sa.select(predictions.c.prediction_id).order_by(predictions.c.seq)).scalars())
            bounds = sa.select(sa.func.max(predictions.c.requested_at), sa.func.min(predictions.c.requested_at))
            latest, earliest = connection.execute(bounds).one()
    finally:
        store.close()
    place = {one: number for number, one in enumerate(ordered)}
    places = [place[one] for one in answered if one in place]
    return (latest - earliest).total_seconds(), all(abs(where - number) < ANSWERS // 2 for number, where in enumerate(places))
